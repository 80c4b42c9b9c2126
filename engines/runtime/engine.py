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
Pending = Callable[[], Maps]  # waits for a batch that was started; called once


class Engine(Protocol):
    """A compiled network. Used by one thread at a time; the maps it returns are the caller's.

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
