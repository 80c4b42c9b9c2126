"""HTTP/1.1 on one connection, by uvicorn, with the bounds that it leaves to proxies."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.errors import OverloadedError
from service.http import errors as http_errors
from service.http.guard import HEALTH
from service.schemas import ErrorAnswer, ErrorDetail
from service.settings import Settings

_REFUSALS = {
    400: ("bad_request", "This is not a request of HTTP/1.1: use an HTTP client."),
    408: ("timeout", "The request came too slowly: send it in one go."),
    414: ("url_too_long", "The address is too long: send images in the body."),
    431: ("head_too_large", "The head of the request is too large: send fewer headers."),
}
_LATE_S = 5.0  # after a request's longest time, so that the service can say that it has passed
_RESERVE = 64  # connections above the bound, on which health is answered, and all else refused
_MOST_PIPELINED = 8  # requests that wait for the answer to the one before


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What connections may cost.

    Attributes:
        connections: at once; above it all but health is refused.
        idle_s: seconds between requests.
        head_s: seconds for the head of a request to come.
        body_s: seconds for its body to come and its answer to be made, and for that to be taken.
        head_bytes, url_bytes, headers: of a request.
    """

    connections: int
    body_s: float
    idle_s: int = 5
    head_s: float = 10.0
    head_bytes: int = 64 * 2**10
    url_bytes: int = 16 * 2**10
    headers: int = 100

    @classmethod
    def of(cls, settings: Settings) -> ConnectionLimits:
        """As the settings have them."""
        return cls(settings.max_connections, settings.timeout + _LATE_S)


class HttpProtocol(HttpToolsProtocol):
    """A connection that ends when it takes too long, sends too much, or takes no answer.

    Args:
        limits: of it.
        others: what uvicorn gives a connection.
    """

    def __init__(self, limits: ConnectionLimits, **others: Any) -> None:
        super().__init__(**others)
        self._limits = limits
        self._served = self.app
        self._in_head = False
        self._fruitless = 0  # bytes since something became of them
        self._come_by = math.inf  # the time by which the rest of a request must have come
        self._take_by = math.inf  # and by which an answer must have been taken
        self._refusal = 400

    def expire(self, now: float) -> None:
        """Ends the connection if its time is up by the loop's clock."""
        if now > self._take_by:
            self.transport.abort()
        elif now > self._come_by and not self.transport.is_closing():
            self._come_by = math.inf
            if self._in_head or not self._idle:
                self._refuse(408)
            else:
                self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        # So that we are told of all that is not taken; over TLS, 0 would pause at nothing.
        self.transport.set_write_buffer_limits(1, 0)
        self._come_by = self.loop.time() + self._limits.head_s
        if len(self.connections) > self._limits.connections + _RESERVE:
            self._longest_idle().transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.timeout_keep_alive_task is not None:  # uvicorn will not watch it any more
            self._come_by = self.loop.time() + self._limits.head_s
        self._fruitless += len(data)
        super().data_received(data)
        if self._fruitless > self._limits.head_bytes and not self.transport.is_closing():
            self._refuse(431)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._take_by = self.loop.time() + self._limits.body_s

    def resume_writing(self) -> None:
        super().resume_writing()
        self._take_by = math.inf

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._come_by = min(self._come_by, self.loop.time() + self._limits.head_s)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # after a body in chunks; nobody reads it
        if len(self.headers) >= self._limits.headers:
            raise self._refused(431)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        limits = self._limits
        if len(self.url) > limits.url_bytes:
            raise self._refused(414)
        if sum(len(name) + len(value) for name, value in self.headers) > limits.head_bytes:
            raise self._refused(431)
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise self._refused(400)
        path = self.url.partition(b"?")[0].decode("latin-1")
        has_room = len(self.connections) <= limits.connections or path in HEALTH
        self.app = self._served if has_room else _full(limits.connections, path)
        super().on_headers_complete()
        self._in_head, self._fruitless = False, 0
        self._come_by = self.loop.time() + limits.body_s

    def on_body(self, body: bytes) -> None:
        self._fruitless = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._idle:
            self._come_by = self.loop.time() + self._limits.head_s

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's; ours says more
        self._refuse(self._refusal)

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _longest_idle(self) -> HttpProtocol:
        """This connection, if no other one is."""
        connections = cast("set[HttpProtocol]", self.connections)
        idle = [one for one in connections if one._idle and not one.transport.is_closing()]
        return min(idle, key=lambda one: one._come_by)

    def _refused(self, status: int) -> Exception:
        """To be raised where the parser calls: it stops, and uvicorn sends a refusal."""
        self._refusal = status
        return ValueError(status)

    def _refuse(self, status: int) -> None:
        """Ends the connection with an answer, unless it would be taken for that to another one."""
        if not self._idle and (self._in_head or self.pipeline or self.cycle.response_started):
            self.transport.abort()
            return
        body = _text(*_REFUSALS[status])
        head = (
            b"content-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[status] + head + body)
        self.transport.close()


def _text(code: str, message: str) -> bytes:
    return ErrorAnswer(error=ErrorDetail(code=code, message=message)).model_dump_json().encode()


def _full(connections: int, path: str) -> ASGIApp:
    """Answers any request."""
    error = OverloadedError(
        f"More than {connections} callers are connected: try again in a moment.", retry_after=1
    )
    response = http_errors.answer(error, path)
    response.headers["Connection"] = "close"
    return response
