"""An engine that can be held up, and callers on its network's lane."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from dataclasses import dataclass, field

import numpy as np
import pytest

from engines.runtime.engine import Batch, Maps
from service.scheduling.answers import Answer
from service.scheduling.lane import Lane
from tests.service.fakes import PATIENCE_S, POISON, AtOnce


@dataclass
class Engine(AtOnce):
    """Answers a picture with the colour of its first pixel; can be held up, and poisoned.

    With `stuns`, poison holds up what is run next.
    """

    name: str = "test"
    max_batch: int = 4
    batches: list[list[int]] = field(default_factory=list)
    stuns: bool = False
    entered: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.held.set()

    def infer(self, batch: Batch) -> Maps:
        self.entered.set()
        assert self.held.wait(PATIENCE_S)
        colours = batch[:, 0, 0, 0]
        self.batches.append(colours.tolist())
        if POISON in colours:
            if self.stuns:
                self.held.clear()
            raise RuntimeError("a fault of the driver")
        return {"colour": colours.astype(np.float32)[:, None], "pixels": batch.astype(np.float32)}


def pictures(*colours: int, side: int = 2) -> Batch:
    return np.stack([np.full((side, side, 3), colour, np.uint8) for colour in colours])


def soon(seconds: float = PATIENCE_S) -> float:
    return time.monotonic() + seconds


def colours(answer: Answer) -> list[int]:
    return [int(colour) for colour in answer.maps["colour"][:, 0]]


async def occupied(lane: Lane, engine: Engine) -> asyncio.Task[Answer]:
    """A request that keeps the engine until `engine.held` is set."""
    engine.held.clear()
    engine.entered.clear()
    task = asyncio.create_task(lane.infer(pictures(0), soon()))
    assert await asyncio.to_thread(engine.entered.wait, PATIENCE_S)
    return task


async def queued(lane: Lane, *batches: Batch) -> list[asyncio.Task[Answer]]:
    """Requests that wait behind what occupies the engine, of each the first two batches."""
    before = len(lane)
    tasks = [asyncio.create_task(lane.infer(batch, soon())) for batch in batches]
    await asyncio.sleep(0)  # lets them enter the queue
    ahead = 2 * Engine.max_batch
    assert len(lane) == before + sum(min(len(batch), ahead) for batch in batches)
    return tasks


def assert_nothing_untold(caplog: pytest.LogCaptureFixture) -> None:
    """That no error was left which nobody was told: asyncio logs it when it is collected."""
    gc.collect()
    told = caplog.get_records("call") + caplog.get_records("teardown")
    assert not [record for record in told if record.name == "asyncio"]
