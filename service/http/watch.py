"""Gives every HTTP request its id, and tells of it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.telemetry.call import Call
from service.telemetry.request_id import HEADER
from service.telemetry.watch import SENT, Watch

_SENT = {name.encode(): name for name in SENT}
_LONGEST_PATH = 200


class HttpWatch:
    """The outermost middleware.

    Args:
        app: what it is put around.
        watch: told of the requests.
    """

    def __init__(self, app: ASGIApp, watch: Watch) -> None:
        self._app = app
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        call = self._watch.begin("http", f"{scope['method']} {_path(scope)}", _sent(scope))
        status = 500  # that of a fault, which is answered outside of every middleware

        async def received() -> Message:
            message = await receive()
            call.received += len(message.get("body", b""))
            return message

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_headers(call)]
            await send(message)

        try:
            await self._app(scope, received, answered)
        finally:
            facts = {
                "http.request.method": scope["method"],
                "http.response.status_code": status,
                "url.path": scope["path"],
            }
            name = f"{scope['method']} {_route(scope)}".rstrip()
            self._watch.end(call, status, facts, name=name, failed=status >= 500)


def _sent(scope: Scope) -> Mapping[str, str]:
    headers = scope["headers"]
    return {_SENT[name]: value.decode("latin-1") for name, value in headers if name in _SENT}


def _headers(call: Call) -> list[tuple[bytes, bytes]]:
    """Of the answer: the request's id and, to one image, how long its stages took."""
    headers = [(HEADER.encode(), call.id.encode())]
    if call.images == 1:
        stages = ", ".join(f"{stage};dur={spent:g}" for stage, spent in call.stages.items())
        headers.append((b"server-timing", stages.encode()))
    return headers


def _path(scope: Scope) -> str:
    """As it was sent: with nothing in it that would end a line."""
    path: str = scope.get("raw_path", b"").decode("latin-1")
    shown = path if path.isascii() and path.isprintable() else ascii(path)[1:-1]
    return shown[:_LONGEST_PATH]


def _route(scope: Scope) -> str:
    """Of which there are a few, whatever paths callers think of."""
    return getattr(scope.get("route"), "path", "")
