"""Bounds the images in the system."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from service.errors import OverloadedError, UnavailableError

_RATE_MEMORY_S = 5.0


class State(Enum):
    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


class Admission:
    """Lets images in while the service serves and there is room.

    Args:
        capacity: images in the system at once.
    """

    def __init__(self, capacity: int) -> None:
        self.state = State.STARTING
        self.inside = 0
        self._capacity = capacity
        self._rate = 0.0  # images a second, smoothed over the last seconds
        self._last = time.monotonic()
        self._left = asyncio.Event()  # an image has left since somebody looked

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
        if self.state is not State.SERVING:
            raise UnavailableError(f"The service is {self.state.value}: try again in a moment.")
        if self.inside + images > self._capacity:
            wait = self._wait()
            raise OverloadedError(
                f"{self.inside} images are in the system, which admits {self._capacity}: "
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
