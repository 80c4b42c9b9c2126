"""An open loop: requests are sent when they are due, whatever became of those before.

So a slow answer delays no other request, and latencies count from the planned time of sending
(no coordinated omission).
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tests.load.replies import SILENT, Record, Reply


class Caller(Protocol):
    """Sends requests over one protocol."""

    protocol: str

    def prepare(self, image: bytes) -> bytes: ...

    async def call(self, request: bytes) -> Reply: ...

    async def close(self) -> None: ...


def constant(rate: float) -> Iterator[float]:
    """Times of so many arrivals a second, evenly spaced, in seconds from the start."""
    return (number / rate for number in itertools.count())


def poisson(rate: float, seed: int) -> Iterator[float]:
    """Times of so many arrivals a second, at random and independent of each other."""
    source, at = np.random.default_rng(seed), 0.0
    while True:
        at += float(source.exponential(1 / rate))
        yield at


@dataclass(slots=True)
class OpenLoop:
    """Sends requests when they are due.

    Args:
        patience: seconds after the last request in which answers may come.
    """

    patience: float = 60.0
    records: list[Record] = field(default_factory=list)
    _under_way: set[asyncio.Task[None]] = field(default_factory=set)

    async def offer(
        self,
        due: Iterator[float],
        seconds: float,
        send: Callable[[int], tuple[str, Awaitable[Reply]]],
    ) -> None:
        """Sends for so many seconds, then waits for the answers.

        Args:
            due: times of arrivals from the start.
            send: gives the protocol and what becomes of the request of that number.
        """
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number, planned in enumerate(itertools.takewhile(lambda at: at < seconds, due)):
            if (wait := start + planned - loop.time()) > 0:
                await asyncio.sleep(wait)
            elif number % 16 == 0:  # the answers have a turn even when the generator is late
                await asyncio.sleep(0)
            task = asyncio.create_task(self._record(start, planned, *send(number)))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        if (wait := start + seconds - loop.time()) > 0:
            await asyncio.sleep(wait)
        await self._settle()

    async def _settle(self) -> None:
        if self._under_way:
            _, silent = await asyncio.wait(self._under_way, timeout=self.patience)
            for task in silent:
                task.cancel()
            await asyncio.gather(*silent, return_exceptions=True)

    async def _record(
        self, start: float, planned: float, protocol: str, answer: Awaitable[Reply]
    ) -> None:
        loop = asyncio.get_running_loop()
        late = loop.time() - start - planned
        try:
            reply = await answer
        except asyncio.CancelledError:
            reply = Reply(SILENT)
        latency = loop.time() - start - planned
        self.records.append(Record(protocol, planned, late, latency, reply))


async def offer(
    callers: Sequence[Caller], images: Sequence[bytes], due: Iterator[float], seconds: float
) -> list[Record]:
    """Images over all callers in turn; see `OpenLoop.offer`."""
    prepared = [[caller.prepare(image) for image in images] for caller in callers]
    loop = OpenLoop()

    def send(number: int) -> tuple[str, Awaitable[Reply]]:
        at = number % len(callers)
        requests = prepared[at]
        caller = callers[at]
        return caller.protocol, caller.call(requests[number // len(callers) % len(requests)])

    await loop.offer(due, seconds, send)
    return loop.records
