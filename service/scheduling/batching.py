"""The queue that a network's engines pull from: pure policy, injected clock.

The engine pulls. When it is free it takes what waits, up to its largest batch, at once;
with `max_delay` it waits until the batch is full or its oldest entry has waited that
long, or half of the time that a caller gave. Pictures of different shapes never share a batch.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """Something to infer.

    Attributes:
        item: what the engine is given.
        size: in pictures.
        shape: entries of equal shape may share a batch.
        deadline: in the clock's seconds.
        abandoned: whether its caller has gone.
        queued_at: in the clock's seconds.
        alone: it shares no batch and waits for no company, as a batch with it has failed.
    """

    item: T
    size: int
    shape: Hashable
    deadline: float
    abandoned: Callable[[], bool]
    queued_at: float
    alone: bool = False

    def wanted(self, now: float) -> bool:
        """Whether its caller is there and its deadline has not passed."""
        return self.deadline > now and not self.abandoned()


@dataclass(frozen=True, slots=True)
class Pull(Generic[T]):
    """What a pull gives: a batch, the entries that came too late, and when to look again.

    `wait` is in seconds: None while nothing waits, 0 with a batch.
    """

    batch: list[Entry[T]]
    expired: list[Entry[T]]
    wait: float | None


class BatchQueue(Generic[T]):
    """First come, first served; not thread-safe, its owner locks."""

    def __init__(self, max_batch: int, max_delay: float, clock: Callable[[], float]) -> None:
        self.max_batch = max_batch
        self._max_delay = max_delay
        self._clock = clock
        self._waiting: deque[Entry[T]] = deque()

    def __len__(self) -> int:
        """Pictures that wait."""
        return sum(entry.size for entry in self._waiting)

    @property
    def oldest(self) -> float:
        """When the oldest entry that is still wanted came; infinity if there is none."""
        now = self._clock()
        return next((one.queued_at for one in self._waiting if one.wanted(now)), math.inf)

    def put(self, entry: Entry[T]) -> None:
        self._waiting.append(entry)

    def put_back(self, entries: Sequence[Entry[T]]) -> None:
        """In front of all others."""
        self._waiting.extendleft(reversed(entries))

    def pull(self) -> Pull[T]:
        """The next batch, if it is time for one."""
        now = self._clock()
        expired = self._drop(now)
        waits: list[float] = []
        for batch in self._batches():
            ready_at = min(self._ready_at(entry) for entry in batch)
            if sum(entry.size for entry in batch) >= self.max_batch or ready_at <= now:
                taken = set(map(id, batch))
                self._waiting = deque(one for one in self._waiting if id(one) not in taken)
                return Pull(batch, expired, 0)
            waits.append(ready_at - now)
        return Pull([], expired, min(waits, default=None))

    def clear(self) -> list[Entry[T]]:
        """Everything that waits, taken out."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _ready_at(self, entry: Entry[T]) -> float:
        """When it need not wait for company any longer: with time left to be inferred in."""
        delay = 0 if entry.alone else self._max_delay
        return entry.queued_at + min(delay, (entry.deadline - entry.queued_at) / 2)

    def _drop(self, now: float) -> list[Entry[T]]:
        """Takes out entries whose caller has gone or whose deadline has passed: the latter."""
        here = [entry for entry in self._waiting if not entry.abandoned()]
        self._waiting = deque(entry for entry in here if entry.deadline > now)
        return [entry for entry in here if entry.deadline <= now]

    def _batches(self) -> Iterator[list[Entry[T]]]:
        """What might be run next: of each shape one batch, that of the oldest entry first."""
        seen: set[Hashable] = set()
        for first in self._waiting:
            if first.alone:
                yield [first]
            elif first.shape not in seen:
                seen.add(first.shape)
                yield self._batch(first.shape)

    def _batch(self, shape: Hashable) -> list[Entry[T]]:
        """The oldest entry of a shape and those that fit beside it; one larger than a batch goes
        alone."""
        batch: list[Entry[T]] = []
        room = self.max_batch
        for entry in self._waiting:
            if entry.alone or entry.shape != shape or (batch and entry.size > room):
                continue
            batch.append(entry)
            room -= entry.size
            if room <= 0:
                break
        return batch
