"""The service behind a real HTTP server in the test's own loop, and callers who write bytes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from service.http.protocol import ConnectionLimits
from service.http.rest import create_app
from service.http.server import HttpServer
from service.sockets import listen
from tests.service.fakes import PATIENCE_S
from tests.service.serving import Service, assert_error

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller read until the connection ended, or until the first answer was whole."""

    raw: bytes
    seconds: float

    @property
    def status(self) -> int:
        """0 if there was none."""
        return int(self.raw.split(b" ", 2)[1]) if self.raw else 0

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode().lower()

    @property
    def json(self) -> Any:
        return json.loads(self.raw.partition(b"\r\n\r\n")[2])

    def assert_refused(self, status: int, code: str) -> None:
        assert self.status == status, self.raw
        assert_error(self.json, code)


@dataclass(frozen=True, slots=True)
class Web:
    """Where the service listens."""

    port: int
    _server: HttpServer

    @property
    def connections(self) -> int:
        """That the server keeps."""
        return len(self._server.server_state.connections)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Caller]:
        reader, writer = await asyncio.open_connection(_HOST, self.port)
        try:
            yield Caller(reader, writer)
        finally:
            writer.close()

    async def send(self, *parts: bytes) -> Answer:
        """What comes back for these bytes until the server ends the connection."""
        async with self.connected() as caller:
            caller.write(*parts)
            return await caller.rest()

    async def trickle(self, start: bytes, again: bytes = b"x") -> Answer:
        """As `send`, where more comes slowly for as long as it is taken."""
        async with self.connected() as caller:
            caller.write(start)

            async def trickle() -> None:
                while True:
                    await asyncio.sleep(0.02)
                    caller.write(again)

            more = asyncio.create_task(trickle())
            try:
                return await caller.rest()
            finally:
                more.cancel()

    async def flood(self, start: bytes, again: bytes) -> tuple[Answer, int]:
        """As `send`, where more comes as fast as it is taken; also how many bytes that were."""
        async with self.connected() as caller:
            caller.write(start)
            sent = 0
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while not caller.has_answer:
                        await caller.flush(again)
                        sent += len(again)
            except ConnectionError:
                pass
            return await caller.rest(), sent


@dataclass
class Caller:
    """A connection of bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def __post_init__(self) -> None:
        self.began = time.monotonic()

    @property
    def has_answer(self) -> bool:
        return bool(self.reader._buffer) or self.reader.at_eof()  # type: ignore[attr-defined]

    def write(self, *parts: bytes) -> None:
        self.writer.writelines(parts)

    def pause(self) -> None:
        """Reads nothing from now on."""
        cast("asyncio.Transport", self.writer.transport).pause_reading()

    async def flush(self, part: bytes) -> None:
        self.writer.write(part)
        await self.writer.drain()
        await asyncio.sleep(0)

    async def head(self) -> bytes:
        """Of the next answer."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> Answer:
        """All until the connection ends; `TimeoutError` if it does not."""
        parts = b""
        async with asyncio.timeout(PATIENCE_S):
            try:
                while part := await self.reader.read(1 << 16):
                    parts += part
            except ConnectionError:
                pass  # ended all the same
        return Answer(parts, time.monotonic() - self.began)


@asynccontextmanager
async def over_sockets(service: Service, **limits: Any) -> AsyncIterator[Web]:
    """Serves on a free port of this machine, with small limits on time."""
    settings = service.core.settings
    bounds = {"connections": settings.max_connections, "body_s": 2.0, "head_s": 0.6, "idle_s": 1}
    listening = listen(_HOST, 0, "http")
    server = HttpServer(create_app(service.core), 1, ConnectionLimits(**bounds | limits))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield Web(listening.getsockname()[1], server)
    finally:
        server.should_exit = True
        await serving


def post(body: bytes, *headers: str) -> bytes:
    """A whole request that asks for the connection's end."""
    length = f"Content-Length: {len(body)}"
    return start(length, "Connection: close", *headers) + body


def start(*headers: str, path: str = "/v1/poses", method: str = "POST") -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: posewire", *headers]
    return _joined(lines)


def _joined(lines: Iterable[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
