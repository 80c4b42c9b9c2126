"""Bounds the images in the system."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from service.errors import DrainingError, OverloadedError, UnavailableError

_RATE_MEMORY_S = 5.0
_ROUNDS = 3  # batches in which what is let in last is answered, its own included


class State(Enum):
    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "about to drain"  # serves, but is not ready any more
    DRAINING = "draining"


class Admission:
    """Lets images in while the service serves and there is room.

    Args:
        capacity: images in the system at once; that of `suit` if None.
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.state = State.STARTING
        self.inside = 0
        self.capacity = capacity or 1
        self._fixed = capacity is not None
        self._rate = 0.0  # images a second, smoothed over the last seconds
        self._last = time.monotonic()
        self._left = asyncio.Event()  # an image has left since somebody looked

    def suit(self, at_once: int) -> None:
        """Lets in a few times what the engines run at once, unless a capacity was given."""
        if not self._fixed:
            self.capacity = _ROUNDS * at_once

    @contextmanager
    def admit(self) -> Iterator[None]:
        """A place for one image.

        Raises:
            UnavailableError: while starting or draining.
            OverloadedError: when all places are taken.
        """
        self.check(1)
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._left.set()
            self._count()

    async def emptied(self) -> None:
        """Returns once no image is in the system."""
        while self.inside:
            self._left.clear()
            await self._left.wait()

    def check(self, images: int) -> None:
        """Raises as `admit` would for that many images."""
        if self.state not in {State.SERVING, State.LEAVING}:
            refusal = DrainingError if self.state is State.DRAINING else UnavailableError
            raise refusal(f"The service is {self.state.value}: try again in a moment.")
        if self.inside + images > self.capacity:
            wait = self._wait()
            raise OverloadedError(
                f"{self.inside} images are in the system, which admits {self.capacity}: "
                f"try again in {wait} s, or send fewer at once.",
                retry_after=wait,
            )

    def _count(self) -> None:
        now = time.monotonic()
        gap, self._last = max(now - self._last, 1e-6), now
        keep = math.exp(-gap / _RATE_MEMORY_S)
        self._rate = self._rate * keep + (1 - keep) / gap

    def _wait(self) -> int:
        """Seconds until what is inside is likely done."""
        likely = self.inside / self._rate if self._rate > 0 else 0.0
        return max(1, math.ceil(min(60.0, likely)))
