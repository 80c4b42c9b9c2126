"""Bounds the memory that the bodies of all HTTP requests take together."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import OverloadedError


class HttpMemory:
    """Middleware: admission counts pictures, which come to be some only when all of one has come.

    Args:
        app: what it is put around.
        most: bytes of bodies at once, from when they come until their request is answered.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        own = 0

        async def received() -> Message:
            nonlocal own
            message = await receive()
            size = len(message.get("body", b""))
            own += size
            self._held += size
            if size and self._held > self._most:
                raise OverloadedError(
                    "Too many large requests come at once: try again in a moment.", retry_after=1
                )
            return message

        try:
            await self._app(scope, received, send)
        finally:
            self._held -= own
