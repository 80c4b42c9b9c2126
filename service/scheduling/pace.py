"""How fast a network runs, for an optimist: nothing is refused that might be answered in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

_RISE = 0.1  # of the way up to the time of one slow batch
_MEMORY_S = 10.0


class Pace:
    """Seconds that batches of a network take an engine, by their pictures.

    It falls at once, rises slowly, from 0, and forgets what it has not seen for a while: what was
    slow once may be fast now, and would never be tried if all were refused that have no such time.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: Mapping[int, float] = {}  # never changed, for other threads read it
        self._seen = clock()

    def observe(self, pictures: int, seconds: float) -> None:
        """An engine has taken so long for a batch. Called by one thread at a time."""
        known, now = self._fresh(), self._clock()
        before = known.get(pictures, 0.0)
        # A smaller batch takes no longer.
        faster = {size: min(known[size], seconds) for size in known if size < pictures}
        at = min(seconds, before + (seconds - before) * _RISE)
        self._known, self._seen = {**known, **faster, pictures: at}, now

    def seconds(self, pictures: int) -> float:
        """Of a batch of so many, or of the largest below that is known; 0 if there is none."""
        known = self._fresh()
        return known[max(sizes)] if (sizes := [size for size in known if size <= pictures]) else 0.0

    def least_wait(self, waiting: int, at_once: int) -> float:
        """Seconds until a picture that comes now is answered, at least.

        Args:
            waiting: pictures before it.
            at_once: pictures that all engines of the network run at once, 0 if none is left.
        """
        rounds = waiting // max(1, at_once)
        return rounds * self.seconds(at_once) + self.seconds(1)

    def _fresh(self) -> Mapping[int, float]:
        return self._known if self._clock() - self._seen <= _MEMORY_S else {}
