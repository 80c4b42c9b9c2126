"""Closes connections while the service drains, so that their callers go elsewhere."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.admission import Admission, State

_PATIENCE_S = 2.0


class HttpClosing:
    """Middleware: every answer of a service that drains says `Connection: close`.

    The connection is closed only when the rest of the request has come, or some time later: a
    caller whose bytes meet a closed connection may lose the answer that is on its way.

    Args:
        app: what it is put around.
        admission: knows whether the service drains.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unread, closes = True, False

        async def received() -> Message:
            nonlocal unread
            message = await receive()
            unread = message.get("more_body", False)
            return message

        async def answered(message: Message) -> None:
            nonlocal closes
            if message["type"] == "http.response.start":
                closes = self._admission.state is State.DRAINING
                if closes:
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            elif closes and unread and not message.get("more_body", False):
                await send({**message, "more_body": True})
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE_S):
                        while unread:
                            await received()
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, received, answered)
