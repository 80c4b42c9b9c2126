"""Engines on several devices, and batches for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engines.runtime.engine import Engine
from service.scheduling.answers import Answer
from service.scheduling.lane import Lane
from service.scheduling.scheduler import Scheduler
from tests.service.fakes import Held
from tests.service.lanes import pictures, soon
from tests.service.serving import until

NAMES = ["cuda:0", "cuda:1", "cuda:2"]
ALL = 100  # more batches than any test has


def add(scheduler: Scheduler, engines: Sequence[Engine], network: str = "network") -> Lane:
    return scheduler.add(network, engines, lambda _: None)


def pairs(lane: Lane, count: int) -> list[asyncio.Task[Answer]]:
    """So many requests, each of a batch of its own: of colours 10 and 11, 20 and 21, and so on."""
    return [pair(lane, 10 * index, 10 * index + 1) for index in range(1, count + 1)]


def pair(lane: Lane, *two: int) -> asyncio.Task[Answer]:
    return asyncio.create_task(lane.infer(pictures(*two), soon()))


async def started(*expected: tuple[Held, int]) -> None:
    """Until each engine has started so many batches."""
    await until(lambda: all(len(engine.started) == count for engine, count in expected))
