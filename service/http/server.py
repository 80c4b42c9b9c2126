"""The HTTP server: uvicorn in a loop that is not its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from service.http.protocol import ConnectionLimits, HttpProtocol

_SWEEP_TICKS = 5  # of uvicorn's, ten a second


class HttpServer(uvicorn.Server):
    """Leaves signals to the service.

    Args:
        app: what it serves.
        last_words: seconds to write the last answers in, once it is told to stop.
        limits: of its connections.
        tls: its certificate, if it has one.
    """

    def __init__(
        self,
        app: ASGIApp,
        last_words: int,
        limits: ConnectionLimits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                lifespan="off",
                ws="none",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                log_config=None,
                log_level="warning",
                timeout_keep_alive=limits.idle_s,
                timeout_graceful_shutdown=last_words,
            )
        )
        self._limits = limits
        self._tls = tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with a bound on the time that a TLS handshake takes too."""
        loop = asyncio.get_running_loop()
        protocol = partial(
            HttpProtocol,
            self._limits,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        self.servers = [
            await loop.create_server(
                protocol,
                sock=one,
                ssl=self._tls,
                backlog=self.config.backlog,
                ssl_handshake_timeout=self._limits.head_s if self._tls else None,
            )
            for one in sockets or ()
        ]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        if counter % _SWEEP_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast("HttpProtocol", connection).expire(now)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
