"""How many requests one caller may send in a time."""

from __future__ import annotations

import asyncio
import math
import time

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.errors import RateLimitedError

_MOST = 100_000  # requests a window, of each of which the time is kept


class RateLimit:
    """Counts the requests of each caller in a window that moves.

    Args:
        rate: as `parse` reads it.
    """

    def __init__(self, rate: str) -> None:
        self._rate, self._limit = rate, parse(rate)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def take(self, caller: str) -> None:
        """Counts a request.

        Raises:
            RateLimitedError: it is one too many, and does not count.
        """
        if seconds := self._taken(caller):
            wait = math.ceil(seconds)
            raise RateLimitedError(
                f"This API key may send {self._rate} requests: try again in {wait} s.",
                retry_after=wait,
            )

    async def wait(self, caller: str) -> None:
        """Counts a request as soon as it is not one too many."""
        while seconds := self._taken(caller):  # noqa: ASYNC110 - time is what is waited for
            await asyncio.sleep(seconds)

    def _taken(self, caller: str) -> float:
        """Counts a request: 0, or if it is one too many the seconds until it is not."""
        if self._window.hit(self._limit, caller):
            return 0.0
        ends = self._window.get_window_stats(self._limit, caller).reset_time
        return max(0.01, ends - time.time())


def parse(rate: str) -> limits.RateLimitItem:
    """Of `100/minute` or `5 per 10 second`.

    Raises:
        ValueError: it is none, or of too many requests.
    """
    try:
        limit = limits.parse(rate)
    except ValueError:
        raise ValueError(f"{rate!r} is not a rate, as 100/minute or 10/second is") from None
    if not 1 <= limit.amount <= _MOST:
        raise ValueError(f"{rate!r} is not of 1 to {_MOST} requests: choose a shorter time")
    return limit
