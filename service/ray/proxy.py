"""What runs in Ray Serve's own proxies: it gives what they say of dead replicas our form.

Ray answers a request whose replica dies with a bare 500, and a call with INTERNAL, neither of
which callers may try again. Nothing is sent again from here: a picture that kills a replica would
kill the next one too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

import grpc
from ray.serve._private.grpc_util import gRPCGenericServer
from ray.serve._private.proxy_request_response import gRPCStreamingType
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import DeadlineError, OverloadedError, ServiceError, UnavailableError
from service.http import errors as http_errors
from service.pb import inference_pb2, pose_pb2
from service.telemetry.request_id import HEADER

APPLICATION: Final = "posewire"
"""What Ray calls the service, as callers of gRPC may too."""

METHOD, LEFT = "posewire-method", "posewire-left"
"""Metadata that the proxy adds for the replica: /service/method, and seconds to the deadline."""

CALLS: Final = {
    pose_pb2.DESCRIPTOR.services_by_name["PoseService"].full_name: (
        *("Estimate", "EstimateStream", "ListModels"),
    ),
    inference_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name: (
        *("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata"),
        "ModelInfer",
    ),
}
_STREAM: Final = "EstimateStream"
_ID: Final = HEADER.encode()
_RAYS_OWN: Final = "/-/"  # paths: /-/healthz and /-/routes


def middlewares() -> list[Middleware]:
    """For `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH`."""
    return [Middleware(HttpProxied)]


class HttpProxied:
    """Middleware around Ray's proxy.

    Ray adds the request's id to every answer, and so do replicas: an answer with one id alone is
    Ray's own.

    Args:
        app: the proxy.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_RAYS_OWN):
            await self._app(scope, receive, send)
            return
        head: Message | None = None
        error: ServiceError | None = _meant(500)

        async def answered(message: Message) -> None:
            nonlocal head, error
            if message["type"] == "http.response.start":
                ids = [value for name, value in message["headers"] if name == _ID]
                head, error = message, None if len(ids) > 1 else _meant(message["status"])
            elif error is None:
                if head is not None:  # not before: the replica may die in between
                    await send({**head, "headers": _once(head["headers"])})
                    head = None
                await send(message)

        await self._app(scope, receive, answered)
        if error is None and head is not None:
            error = _meant(500)
        if error is not None:
            response = http_errors.answer(error, scope["path"])
            response.headers[HEADER] = _named(scope).decode("latin-1")
            await response(scope, receive, send)


def _meant(status: int) -> ServiceError:
    """By an answer of Ray's own, over HTTP or gRPC."""
    if status in {408, grpc.StatusCode.DEADLINE_EXCEEDED.value[0]}:
        return DeadlineError("The deadline passed before a replica answered: allow more time.")
    if status in {429, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]}:
        return OverloadedError("Every replica is full: try again in 1 s.", retry_after=1)
    if status in {500, grpc.StatusCode.INTERNAL.value[0]}:
        return UnavailableError("The replica that had the request died: send it again.")
    return UnavailableError("No replica runs: try again in a moment.")


def _once(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """With the replica's id of the request alone, which comes before Ray's."""
    first = next(one for one in headers if one[0] == _ID)
    return [one for one in headers if one[0] != _ID] + [first]


def _named(scope: Scope) -> bytes:
    """The id of a request, which Ray has added to its head if need be."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next(value for name, value in headers if name == _ID)


def add_services(_: object, server: gRPCGenericServer) -> None:
    """For `grpc_servicer_functions`."""
    for service, names in CALLS.items():
        server.add_passthrough_service(service)  # ours are made of Ray's handlers already
        handlers = {name: _handler(server, f"/{service}/{name}") for name in names}
        generic = grpc.method_handlers_generic_handler(service, handlers)
        server.add_generic_rpc_handlers((generic,))


def _handler(server: gRPCGenericServer, method: str) -> Any:
    """Sends messages, as they came, to a replica's method `call` or `stream`."""
    if method.endswith(f"/{_STREAM}"):
        kind = gRPCStreamingType.STREAM_STREAM
        stream = server.service_handler_factory(f"{method}/stream", kind)
        return grpc.stream_stream_rpc_method_handler(_several(stream, method))
    call = server.service_handler_factory(f"{method}/call", gRPCStreamingType.UNARY_UNARY)
    return grpc.unary_unary_rpc_method_handler(_one(call, method))


def _one(ray: Callable[[bytes, Any], Awaitable[bytes]], method: str) -> Any:
    async def answer(message: bytes, context: Any) -> bytes:
        answered = await ray(message, _Proxied(context, method))
        _tell(context)
        return answered

    return answer


def _several(ray: Callable[[Any, Any], AsyncGenerator[bytes, None]], method: str) -> Any:
    async def answer(messages: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async with aclosing(ray(messages, _Proxied(context, method))) as answers:
            async for one in answers:
                if not _number(context.code()):  # else it is there for the sake of the status alone
                    yield one
        _tell(context)

    return answer


class _Proxied:
    """A call's context, with what the replica has to know of it among the metadata."""

    def __init__(self, context: Any, method: str) -> None:
        self._context, self._method = context, method

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        added = [("application", APPLICATION), (METHOD, self._method)]
        if (left := self._context.time_remaining()) is not None:
            added.append((LEFT, str(left)))
        return (*self._context.invocation_metadata(), *added)


def _number(code: Any) -> int:
    """Of a status, which gRPC has as it was set, if it was."""
    return code.value[0] if isinstance(code, grpc.StatusCode) else code or 0


def _tell(context: Any) -> None:
    """Gives a status of Ray's own the form of ours."""
    trailer = dict(context.trailing_metadata() or ())
    code = _number(context.code())
    if not code or "posewire-code" in trailer:
        return
    error = _meant(code)
    context.set_code(error.grpc_status)
    context.set_details(error.message)
    trailer["posewire-code"] = error.code
    if error.retry_after is not None:
        trailer["grpc-retry-pushback-ms"] = str(error.retry_after * 1000)
    context.set_trailing_metadata(tuple(trailer.items()))
