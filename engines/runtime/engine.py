"""What every back-end offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engines.precision import Precision

# Pictures (N, h, w, 3) uint8 BGR, or what a network that sees no picture takes, (N, ...) float32.
Batch = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Maps = dict[str, npt.NDArray[np.float32]]  # by output name, (N, ...)
# Waits for a batch that was started; called once, and in the order of the starts. It may be
# another thread that waits, while the engine's starts further batches.
Pending = Callable[[], Maps]


class Engine(Protocol):
    """A compiled network. One thread at a time starts batches; the maps are the caller's.

    Where a device has no room for a batch, `start` and `infer` raise `MemoryError`, or what they
    give does: those under way are not affected, and a smaller batch may fit.

    Attributes:
        name: of the back-end.
        precision: in which it computes.
        device: what it runs on: "cpu", or "cuda:0" and so on.
        max_batch: the most inputs a call takes.
        ahead: batches that may be started while one runs; their answers come in order.
    """

    name: str
    precision: Precision
    device: str
    max_batch: int
    ahead: int

    def start(self, batch: Batch) -> Pending: ...

    def infer(self, batch: Batch) -> Maps: ...

    def close(self) -> None: ...
