"""Answers messages that are none as that; gRPC by itself would call them a fault of the service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from service.errors import BadParameterError
from service.rpc.call import Context, abort

_Handler = Any  # the stubs know those of servers with threads alone


class RpcMessages(grpc.aio.ServerInterceptor):
    """Interceptor; the last one, as it takes the messages apart in the handler's place."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        if handler.unary_unary is not None:
            return _one(handler)
        return handler if handler.stream_stream is None else _several(handler)


def _one(handler: _Handler) -> _Handler:
    async def answer(data: bytes, context: Context) -> Any:
        try:
            request = handler.request_deserializer(data)
        except DecodeError:
            await abort(context, _malformed())
        return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(answer, bytes, handler.response_serializer)


def _several(handler: _Handler) -> _Handler:
    async def messages(frames: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for frame in frames:
            yield handler.request_deserializer(frame)

    async def answer(frames: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
        try:
            async with aclosing(handler.stream_stream(messages(frames), context)) as answers:
                async for one in answers:
                    yield one
        except DecodeError:
            await abort(context, _malformed())

    return grpc.stream_stream_rpc_method_handler(answer, bytes, handler.response_serializer)


def _malformed() -> BadParameterError:
    return BadParameterError("The message is malformed: make it with a client of this protocol.")
