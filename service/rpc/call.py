"""What every gRPC call for people has: a deadline, and an end by an error."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc

from service.errors import ServiceError
from service.settings import Settings

Context = grpc.aio.ServicerContext[Any, Any]


def deadline_of(context: Context, settings: Settings) -> float:
    """Of `time.monotonic`, by the call's own deadline."""
    left = context.time_remaining()
    return time.monotonic() + (settings.timeout if left is None else min(left, settings.timeout))


async def abort(context: Context, error: ServiceError) -> NoReturn:
    """Ends the call with the error's status; its code goes into the trailer."""
    trailer = (*context.trailing_metadata(), ("posewire-code", error.code))
    if error.retry_after is not None:
        trailer += (("grpc-retry-pushback-ms", str(error.retry_after * 1000)),)
    await context.abort(error.grpc_status, error.message, trailer)
    raise error  # abort has raised already


def refusing(error: ServiceError) -> Any:
    """A handler of any kind of call; as it answers a stream, it reads nothing by itself."""

    async def refuse(_: object, context: Context) -> AsyncIterator[object]:
        await abort(context, error)
        yield  # makes it a generator, as the answers to a stream are

    return grpc.stream_stream_rpc_method_handler(refuse)
