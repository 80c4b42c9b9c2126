"""Gives every gRPC call its id, and tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any

import grpc

from service.rpc.call import Context
from service.telemetry.call import Call
from service.telemetry.request_id import HEADER
from service.telemetry.watch import SENT, Watch

_Handler = Any  # grpc's own type is that of its other API, which is not asynchronous
_Status = grpc.StatusCode
_FAULTS = {_Status.UNKNOWN, _Status.INTERNAL, _Status.UNAVAILABLE, _Status.UNIMPLEMENTED}


class RpcWatch(grpc.aio.ServerInterceptor):
    """The outermost interceptor.

    Args:
        watch: told of the calls.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler:
        metadata = handler_call_details.invocation_metadata or ()
        sent = {name: str(value) for name, value in metadata if name in SENT}
        call = self._watch.begin("grpc", handler_call_details.method, sent)
        handler = await continuation(handler_call_details)
        if handler is None or call.is_probe:  # without a method, the caller's words would be logged
            return handler
        return self._watched(handler, call, asked=HEADER in sent)

    def _watched(self, handler: _Handler, call: Call, *, asked: bool) -> _Handler:
        """The same; it tells a caller who has `asked` the id before all else."""

        async def one(request: Any, context: Context) -> Any:
            await _name(call, context, asked=asked)
            with self._told(call, context):
                return await handler.unary_unary(request, context)

        async def several(request: Any, context: Context) -> AsyncIterator[Any]:
            await _name(call, context, asked=asked)
            with self._told(call, context):
                answers = handler.unary_stream or handler.stream_stream
                async with aclosing(answers(request, context)) as stream:
                    async for answer in stream:
                        yield answer

        how = (_counting(handler, call), handler.response_serializer)
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(one, *how)
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(several, *how)
        if handler.stream_stream:
            return grpc.stream_stream_rpc_method_handler(several, *how)
        return handler

    @contextmanager
    def _told(self, call: Call, context: Context) -> Iterator[None]:
        status = _Status.OK
        try:
            yield
        except asyncio.CancelledError:
            status = _Status.CANCELLED
            raise
        except BaseException:
            status = _Status.UNKNOWN
            raise
        finally:
            status = context.code() or status
            service, method = call.method.removeprefix("/").split("/")
            facts: dict[str, str | int] = {
                "rpc.system": "grpc",
                "rpc.service": service,
                "rpc.method": method,
                "rpc.grpc.status_code": int(status.value[0]),
            }
            self._watch.end(call, status.name, facts, failed=status in _FAULTS)


async def _name(call: Call, context: Context, *, asked: bool) -> None:
    """Tells the caller the call's id: with the answer, which costs nothing.

    Who has sent one is told at once, which costs a message of its own.
    """
    named = ((HEADER, call.id),)
    context.set_trailing_metadata(named)
    if asked:
        await context.send_initial_metadata(named)


def _counting(handler: _Handler, call: Call) -> Callable[[bytes], Any] | None:
    """Reads messages as the handler does, and counts their bytes."""
    read = handler.request_deserializer
    if read is None:
        return None

    def counting(message: bytes) -> Any:
        call.received += len(message)
        return read(message)

    return counting
