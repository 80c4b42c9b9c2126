"""What fake engines share."""

from __future__ import annotations

import threading
from typing import Protocol

import numpy as np

from engines.precision import Precision
from engines.runtime.engine import Batch, Engine, Maps, Pending

PATIENCE_S = 10.0
POISON = 13  # the colour that an engine does not stand


class AtOnce(Protocol):
    """An engine that has run a batch when it is started, as one on the CPU has."""

    precision: Precision = "fp32"
    device: str = "cpu"
    ahead: int = 0
    closed: bool = False

    def infer(self, batch: Batch) -> Maps: ...

    def start(self, batch: Batch) -> Pending:
        maps = self.infer(batch)
        return lambda: maps

    def close(self) -> None:
        self.closed = True


class Held(AtOnce):
    """Starts a batch at once, and ends it when the test lets it; answers with its colours.

    Raises `fault` on poison: when a batch is started if it is the first picture, else when it
    is waited for.
    """

    name = "test"
    max_batch = 2

    def __init__(self, device: str, ahead: int = 1, fault: BaseException | None = None) -> None:
        self.device, self.ahead = device, ahead
        self.started: list[list[int]] = []
        self.most_under_way = 0
        self._fault = fault or RuntimeError("a fault of the driver")
        self._ended = 0
        self._ends = threading.Semaphore(0)

    def start(self, batch: Batch) -> Pending:
        colours = batch[:, 0, 0, 0].tolist()
        self.started.append(colours)
        if colours[0] == POISON:
            raise self._fault
        self.most_under_way = max(self.most_under_way, len(self.started) - self._ended)

        def wait() -> Maps:
            assert self._ends.acquire(timeout=PATIENCE_S)
            self._ended += 1
            if POISON in colours:
                raise self._fault
            return {"colour": np.array(colours, np.float32)[:, None]}

        return wait

    def infer(self, batch: Batch) -> Maps:
        return self.start(batch)()

    def end(self, batches: int = 1) -> None:
        """Lets so many more batches end."""
        self._ends.release(batches)


class OnDevice(AtOnce):
    """Another's engine, as if it ran on a device of that name."""

    def __init__(self, engine: Engine, device: str) -> None:
        self._engine, self.device = engine, device
        self.name, self.precision = engine.name, engine.precision
        self.max_batch = engine.max_batch
        self.pictures = 0

    def infer(self, batch: Batch) -> Maps:
        self.pictures += len(batch)
        return self._engine.infer(batch)
