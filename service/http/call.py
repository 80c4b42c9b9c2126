"""What every HTTP request for people has: a deadline, and a caller who may leave."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

from service.errors import BadParameterError, CallerGoneError, DeadlineError
from service.settings import Settings

T = TypeVar("T")

_TIMEOUT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|)")


def deadline_of(request: Request, settings: Settings) -> float:
    """Of `time.monotonic`, by `X-Request-Timeout`: seconds, or milliseconds as in `250ms`.

    Raises:
        BadParameterError: the header is not a time.
    """
    allowed = settings.timeout
    if asked := request.headers.get("x-request-timeout"):
        match = _TIMEOUT.fullmatch(asked.strip())
        if not match:
            raise BadParameterError(
                f"X-Request-Timeout {asked!r} is not a time: write 1.5 or 1500ms."
            )
        allowed = min(allowed, float(match[1]) / (1000 if match[2] == "ms" else 1))
    return time.monotonic() + allowed


async def arrived(body: Awaitable[T], deadline: float) -> T:
    """The body of a request, once all of it has come.

    Raises:
        DeadlineError: it has not by then.
    """
    try:
        async with asyncio.timeout_at(deadline):
            return await body
    except TimeoutError:
        raise DeadlineError(
            "The deadline passed before all of the request came: allow more time."
        ) from None


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Awaits `work`, cancelling it when the caller disconnects.

    HTTP servers do not cancel a handler then; its image would take an engine's time.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnection(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGoneError("The caller left before the answer.")
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
