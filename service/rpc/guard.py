"""Refuses gRPC calls before their message is read: of unknown callers, and of too many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc

from service.access.auth import Guard
from service.access.rate_limit import RateLimit
from service.errors import ServiceError
from service.rpc.call import Context, refusing
from service.telemetry.metrics import Metrics

_Handler = Any  # the stubs know those of servers with threads alone
_OPEN = (
    "/grpc.health.v1.Health/",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
)


class RpcGuard(grpc.aio.ServerInterceptor):
    """Interceptor.

    A stream's frames are requests too: above the rate of its key no further frame is read for a
    while, so that the sender is slowed down.

    Args:
        guard: of callers.
        metrics: counts refusals.
    """

    def __init__(self, guard: Guard, metrics: Metrics) -> None:
        self._guard = guard
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        if handler_call_details.method.startswith(_OPEN):
            return await continuation(handler_call_details)
        sent: dict[str, Any] = dict(handler_call_details.invocation_metadata or ())
        try:
            caller = self._guard.admit(sent.get("authorization", ""), sent.get("x-api-key", ""))
        except ServiceError as error:
            self._metrics.refused(error, "grpc", "")
            return refusing(error)
        handler = await continuation(handler_call_details)
        if handler is None or self._guard.limit is None or handler.stream_stream is None:
            return handler
        return _slowed(handler, self._guard.limit, caller)


def _slowed(handler: _Handler, limit: RateLimit, caller: str) -> _Handler:
    """The same, which gets its frames no faster than the caller may send requests."""

    async def within(frames: AsyncIterator[Any]) -> AsyncIterator[Any]:
        paid = True  # the first one, by the call
        async for frame in frames:
            if not paid:
                await limit.wait(caller)
            paid = False
            yield frame

    async def answer(frames: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        async with aclosing(handler.stream_stream(within(frames), context)) as answers:
            async for one in answers:
                yield one

    return grpc.stream_stream_rpc_method_handler(
        answer, handler.request_deserializer, handler.response_serializer
    )
