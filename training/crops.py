"""What is seen of a kept picture: a crop of whole cells, with pieces of another one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.config import STRIDE
from training.kept import Bytes, Kept


class Crop(NamedTuple):
    """Of a kept picture (side, side, 3), and of its maps (side / 8, side / 8, channels)."""

    picture: Bytes
    maps: Bytes


class Rectangle(NamedTuple):
    """Rows and columns of cells."""

    rows: slice
    columns: slice


def cropped(kept: Kept, number: int, side: int, rng: np.random.Generator) -> Crop:
    """A piece of a picture, anywhere in it."""
    cells = side // STRIDE
    y, x = rng.integers(0, kept.maps.shape[1] - cells, 2, endpoint=True).tolist()
    there = Rectangle(slice(y, y + cells), slice(x, x + cells))
    return Crop(kept.pictures[number][_pixels(there)], kept.maps[number][there])


def rectangle(cells: int, rng: np.random.Generator, chance: float) -> Rectangle:
    """A quarter to three quarters of a crop's sides; with another chance, nothing."""
    height, width = rng.integers(cells // 4, 3 * cells // 4, 2, endpoint=True).tolist()
    top, left = rng.integers(0, cells - max(height, width), 2, endpoint=True).tolist()
    if rng.random() >= chance:
        height = 0
    return Rectangle(slice(top, top + height), slice(left, left + width))


def patched(crop: Crop, other: Crop, piece: Rectangle) -> Crop:
    """A crop with a piece of another one of its size, and with that one's maps there."""
    made = Crop(crop.picture.copy(), crop.maps.copy())
    made.picture[_pixels(piece)] = other.picture[_pixels(piece)]
    made.maps[piece] = other.maps[piece]
    return made


def _pixels(cells: Rectangle) -> tuple[slice, slice]:
    rows, columns = (slice(STRIDE * one.start, STRIDE * one.stop) for one in cells)
    return rows, columns
