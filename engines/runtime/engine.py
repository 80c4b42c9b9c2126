"""What every back-end offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

# Pictures (N, h, w, 3) uint8 BGR, or what a network that sees no picture takes, (N, ...) float32.
Batch = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Maps = dict[str, npt.NDArray[np.float32]]  # by output name, (N, ...)


class Engine(Protocol):
    """A compiled network. Used by one thread at a time; the maps it returns are the caller's.

    Attributes:
        name: of the back-end.
        max_batch: the most inputs a call takes.
    """

    name: str
    max_batch: int

    def infer(self, batch: Batch) -> Maps: ...

    def close(self) -> None: ...
