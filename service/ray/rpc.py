"""gRPC calls in a replica: through the same interceptors and services as in a server of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, cast

import grpc
from ray.serve.grpc_util import RayServegRPCContext

from service.core import Core
from service.errors import InternalError
from service.ray.proxy import LEFT, METHOD
from service.rpc.server import add_services, interceptors

log = logging.getLogger("posewire")

_Handler = Any  # the stubs know those of servers with threads alone
_Metadata = Sequence[tuple[str, str]]
_FAULT = InternalError("A fault of the service: try again, and see its log if it lasts.")


class _AbortedError(Exception):
    """What ends a call has been told to its context."""


class Context:
    """As much of `grpc.aio.ServicerContext` as our services and interceptors ask for.

    Args:
        given: Ray's, whose status and trailers reach the caller with an answer.
    """

    def __init__(self, given: RayServegRPCContext) -> None:
        self._given = given
        self._sent = dict(given.invocation_metadata())
        left = self._sent.get(LEFT)
        self._ends = None if left is None else time.monotonic() + float(left)

    @property
    def method(self) -> str:
        """That is called, as /service/method."""
        return self._sent[METHOD]

    def invocation_metadata(self) -> _Metadata:
        return self._given.invocation_metadata()

    def time_remaining(self) -> float | None:
        return None if self._ends is None else max(0.0, self._ends - time.monotonic())

    def code(self) -> grpc.StatusCode | None:
        return self._given.code() or None

    def trailing_metadata(self) -> _Metadata:
        """Without Ray's own, which Ray adds."""
        return [one for one in self._given.trailing_metadata() if one[0] != "request_id"]

    def set_trailing_metadata(self, metadata: _Metadata) -> None:
        self._given.set_trailing_metadata(list(metadata))

    async def send_initial_metadata(self, metadata: _Metadata) -> None:
        """Does nothing: Ray sends none."""

    async def abort(self, code: grpc.StatusCode, details: str, trailer: _Metadata) -> NoReturn:
        self._given.set_code(code)
        self._given.set_details(details)
        self.set_trailing_metadata(trailer)
        raise _AbortedError


@dataclass(frozen=True, slots=True)
class Status:
    """An answer that is none, of a call that has ended by an error; Ray asks for its bytes."""

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's naming
        return b""


@dataclass(frozen=True, slots=True)
class _Details:
    """Of a call, for interceptors."""

    method: str
    invocation_metadata: _Metadata


class Calls:
    """Answers calls.

    An error is told by an answer with the status in its context: Ray loses the trailers of a call
    that raises.

    Args:
        core: of the services.
    """

    def __init__(self, core: Core) -> None:
        self._handlers: dict[str, _Handler] = {}
        add_services(core, cast("grpc.aio.Server", self))
        find: Any = self._registered
        for interceptor in reversed(interceptors(core)):
            find = partial(interceptor.intercept_service, find)
        self._find = find

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Of a server, which these calls are instead of; the next one says the same."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, _Handler]) -> None:
        self._handlers.update({f"/{service}/{name}": one for name, one in handlers.items()})

    async def one(self, message: bytes, given: RayServegRPCContext) -> Any:
        """The answer to one message."""

        async def messages() -> AsyncIterator[bytes]:
            yield message

        context = Context(given)
        try:
            handler = await self._handler(context)
            if handler.unary_unary is not None:
                return await handler.unary_unary(message, context)
            async for _ in handler.stream_stream(messages(), context):
                pass  # a refusal, which has no answers
        except Exception as error:
            _end(given, error)
        return Status()

    async def several(
        self, messages: AsyncIterator[bytes], given: RayServegRPCContext
    ) -> AsyncIterator[Any]:
        """The answers to a stream of messages."""
        context = Context(given)
        try:
            handler = await self._handler(context)
            async with aclosing(handler.stream_stream(messages, context)) as answers:
                async for answer in answers:
                    yield answer
        except Exception as error:
            _end(given, error)
            yield Status()

    async def _handler(self, context: Context) -> _Handler:
        return await self._find(_Details(context.method, context.invocation_metadata()))

    async def _registered(self, details: _Details) -> _Handler:
        return self._handlers[details.method]


def _end(given: RayServegRPCContext, error: Exception) -> None:
    if isinstance(error, _AbortedError):
        return
    log.error("A call failed", exc_info=error)
    given.set_code(_FAULT.grpc_status)
    given.set_details(_FAULT.message)
    given.set_trailing_metadata([("posewire-code", _FAULT.code)])
