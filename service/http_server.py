"""The HTTP server: uvicorn in a loop that is not its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


class HttpServer(uvicorn.Server):
    """Leaves signals to the service.

    Args:
        app: what it serves.
        last_words: seconds to write the last answers in, once it is told to stop.
    """

    def __init__(self, app: ASGIApp, last_words: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=last_words,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
