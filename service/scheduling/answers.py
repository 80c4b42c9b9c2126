"""What callers ask of engines, and how they are answered from other threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from engines.runtime.engine import Batch, Maps
from service.scheduling.batching import Entry


@dataclass(frozen=True, slots=True)
class Answer:
    """Maps of the pictures that were asked for, and the seconds they waited and ran."""

    maps: Maps
    queued: float
    inferred: float


@dataclass(frozen=True, slots=True)
class Ran:
    """A batch that an engine has answered.

    Attributes:
        network, device: that ran it.
        pictures: in it.
        began, ended: by `time.monotonic`.
        seconds: that the device took for it, once it was done with what was before it.
        traces: of its jobs, those that have one.
    """

    network: str
    device: str
    pictures: int
    began: float
    ended: float
    seconds: float
    traces: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """Inputs for a network, and the future that its caller awaits.

    `trace` is what the caller wants to be told with the batch that the inputs were run in.
    """

    network: str
    inputs: Batch
    answer: asyncio.Future[Answer]
    loop: asyncio.AbstractEventLoop
    trace: object | None = None

    def resolve(self, answer: Answer | Exception) -> None:
        """From any thread; a caller who has gone is not told."""
        with suppress(RuntimeError):  # the caller's loop has ended
            self.loop.call_soon_threadsafe(_settle, self.answer, answer)


def hand_out(batch: list[Entry[Job]], maps: Maps, started: float, inferred: float) -> None:
    """Answers each caller with its own part of a batch's maps."""
    first = 0
    for entry in batch:
        own = {name: array[first : first + entry.size] for name, array in maps.items()}
        entry.item.resolve(Answer(own, started - entry.queued_at, inferred))
        first += entry.size


def refuse(entries: Iterable[Entry[Job]], error: Callable[[], Exception]) -> None:
    """Answers each caller with an error of its own, to which it may add its traceback."""
    for entry in entries:
        entry.item.resolve(error())


def _settle(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
