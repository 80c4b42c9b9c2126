"""A cheap HTTP caller: kept-alive connections without a layer between parser and socket."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpResponseParser

from tests.load.replies import CLOSED, LEFT, NO_CONNECTION, Reply

_IDLE_S = 3.0  # the server closes what was idle for 5 s


class HttpCaller:
    """Posts pictures to a server.

    Args:
        address: `http://host:port`.
        connections: the most at once; a request beyond them waits for one.
    """

    protocol = "http"

    def __init__(self, address: str, connections: int = 256) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._room = asyncio.Semaphore(connections)
        self._idle: list[_Connection] = []
        self.extra = 0  # answers that nobody asked for

    def prepare(self, image: bytes, query: str = "") -> bytes:
        """The request that posts an image, to be sent as often as wanted."""
        head = (
            f"POST /v1/poses{query} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Type: image/jpeg\r\nContent-Length: {len(image)}\r\n\r\n"
        )
        return head.encode() + image

    async def call(self, request: bytes, patience: float | None = None) -> Reply:
        """Sends a prepared request; a caller with `patience` leaves after so many seconds."""
        async with self._room:
            try:
                connection = await self._connection()
            except OSError:
                return Reply(NO_CONNECTION)
            answer = connection.ask(request)
            if patience is not None:
                await asyncio.wait({answer}, timeout=patience)
                if not answer.done():
                    connection.close()
                    return Reply(LEFT)
            reply = await answer
            if connection.usable:
                self._idle.append(connection)
            else:
                connection.close()
            return reply

    async def close(self) -> None:
        """Closes the connections that are idle."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> _Connection:
        loop = asyncio.get_running_loop()
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and loop.time() - connection.answered < _IDLE_S:
                return connection
            connection.close()
        _, connection = await loop.create_connection(
            lambda: _Connection(self), self._host, self._port
        )
        return connection


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, caller: HttpCaller) -> None:
        self.usable = True
        self.answered = 0.0  # when the last answer had come
        self._caller = caller
        self._loop = asyncio.get_running_loop()
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Reply] | None = None
        self._body: list[bytes] = []
        self._again = False

    def ask(self, request: bytes) -> asyncio.Future[Reply]:
        self._answer = self._loop.create_future()
        self._transport.write(request)
        return self._answer

    def close(self) -> None:
        self.usable = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except HttpParserError:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the protocol
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Reply(CLOSED))

    def on_message_begin(self) -> None:
        self._body.clear()
        self._again = False

    def on_header(self, name: bytes, value: bytes) -> None:  # noqa: ARG002 - the parser's
        if name.lower() == b"retry-after":
            self._again = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.usable = False
        self.answered = self._loop.time()
        if self._answer is None or self._answer.done():
            self._caller.extra += 1
            return
        status, body = self._parser.get_status_code(), b"".join(self._body)
        if status == 200:
            self._answer.set_result(Reply("200", body=body))
        else:
            code = json.loads(body)["error"]["code"] if body[:1] == b"{" else ""
            self._answer.set_result(Reply(str(status), code, again=self._again))
