"""Pictures with what a student should say of them, kept on disk."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.format import open_memmap
from torch import Tensor

from engines.geometry import Floats
from engines.skeletons import Skeleton
from training.config import STRIDE, Config

Bytes = npt.NDArray[np.uint8]
Values = TypeVar("Values", Tensor, Floats)

# A map's value v is kept as round(v * 100) + 128, and what does not count as 0.
_STEPS, _ZERO = 100.0, 128.0
_DEPENDS = ("seed", "skeleton", "data", "teacher", "kept")


@dataclass(frozen=True, slots=True)
class Kept:
    """Pictures and maps, memory-mapped; those that are held out are the last.

    Attributes:
        pictures: (N, S, S, 3) uint8 BGR.
        maps: (N, S / 8, S / 8, K + 1 + 2 * limbs) uint8; see `encoded`.
        learned: how many of them are learned from.
        half: the same at half their size, where they are learned from.
    """

    pictures: Bytes
    maps: Bytes
    learned: int
    half: Kept | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The folder where the pictures of a run are kept, and how many there are to be.

    Attributes:
        folder: has `pictures.npy`, `maps.npy` and `done.json`.
        config: of the run, and its skeleton.
        learned, held_out: how many pictures.
    """

    folder: Path
    config: Config
    skeleton: Skeleton
    learned: int
    held_out: int

    @property
    def count(self) -> int:
        return self.learned + self.held_out

    def opened(self, *, write: bool = False) -> Kept:
        """What is kept, to write to it or whole.

        Raises:
            OSError: nothing is there to read. ValueError: it is of other settings.
        """
        size, cells = self.config.kept.size, self.config.kept.size // STRIDE
        channels = len(self.skeleton.keypoints) + 1 + 2 * len(self.skeleton.limbs)
        pictures = self._array("pictures.npy", (self.count, size, size, 3), write)
        maps = self._array("maps.npy", (self.count, cells, cells, channels), write)
        return Kept(pictures, maps, self.learned)

    def done(self) -> int:
        """How many pictures are there already.

        Raises:
            ValueError: they are of other settings.
        """
        try:
            noted = json.loads((self.folder / "done.json").read_text("utf-8"))
        except FileNotFoundError:
            return 0
        if noted["settings"] != self.config.digest(_DEPENDS):
            raise self._other()
        return int(noted["pictures"])

    def note(self, done: int) -> None:
        """That so many pictures are written."""
        noted = {"settings": self.config.digest(_DEPENDS), "pictures": done}
        new = self.folder / "done.json.new"
        new.write_text(json.dumps(noted), "utf-8")
        os.replace(new, self.folder / "done.json")

    def _array(self, name: str, shape: tuple[int, ...], write: bool) -> Bytes:
        path = self.folder / name
        if write and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made: Bytes = open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
            return made
        kept: Bytes = np.load(path, mmap_mode="r+" if write else "r")
        if kept.shape != shape or kept.dtype != np.uint8:
            raise self._other()
        return kept

    def _other(self) -> ValueError:
        return ValueError(
            f"{self.folder} has pictures of other settings: choose another --out, or remove it"
        )


def encoded(maps: Floats, counts: npt.NDArray[np.bool_] | None = None) -> Bytes:
    """Maps as bytes, to a hundredth between -1.27 and 1.27, and 0 where they do not count."""
    steps = np.rint(maps * np.float32(_STEPS) + np.float32(_ZERO)).clip(1, 255).astype(np.uint8)
    return steps if counts is None else np.where(counts, steps, np.uint8(0))


def decoded(kept: Values) -> Values:
    """What `encoded` was given, of its bytes as floats."""
    return (kept - _ZERO) / _STEPS
