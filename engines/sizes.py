"""Sizes of a network's input: what a system makes of pictures, and what a user asks for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engines.geometry import Pixels

Size = tuple[int, int]  # height and width, in pixels
Sizes = tuple[Size, Size, Size]  # the least, the usual and the largest

_USUAL = (90, 160)  # a picture of most cameras: 16:9
# The longest pictures there are: they make the extremes, as any preparation bounds the aspect.
_EXTREMES = ((1, 1), (1, 10_000), (10_000, 1))
_SIZE = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Made:
    """The inputs that a system makes of pictures.

    Attributes:
        sizes: least and largest bound each side by itself: no picture need make that size.
        multiple: of which both sides are multiples.
    """

    sizes: Sizes
    multiple: int = 1


def made_by(prepare: Callable[[Pixels], Pixels], multiple: int) -> Made:
    """What `prepare` makes of pictures of every shape; it is asked, so it cannot be misquoted.

    Args:
        prepare: from a picture (H, W, 3) to a network's input (h, w, 3).
        multiple: of which both of the input's sides are multiples.
    """

    def made_of(shape: Size) -> Size:
        height, width = prepare(np.zeros((*shape, 3), np.uint8)).shape[:2]
        return height, width

    usual = made_of(_USUAL)
    heights, widths = zip(usual, *map(made_of, _EXTREMES), strict=True)
    return Made(((min(heights), min(widths)), usual, (max(heights), max(widths))), multiple)


def parse_sizes(text: str) -> Sizes:
    """The least, usual and largest size of "256x256,368x656,368x1472", height before width; one
    size alone, "256x192", is all three.

    Raises:
        ValueError: it is of another form, or the sizes do not ascend.
    """
    found = [_SIZE.fullmatch(part.strip()) for part in text.split(",")]
    sizes = [(int(match[1]), int(match[2])) for match in found if match]
    if len(sizes) != len(found) or len(sizes) not in {1, 3}:
        raise ValueError(
            f"sizes {text!r} are not one HEIGHTxWIDTH or three (the least, the usual, the "
            "largest), such as 256x256,368x656,368x1472"
        )
    least, usual, largest = sizes * 3 if len(sizes) == 1 else sizes
    if not (within(usual, least, largest)):
        raise ValueError(f"sizes {text!r} do not ascend in height and in width")
    return least, usual, largest


def within(size: Size, least: Size, largest: Size) -> bool:
    """Whether neither side is less than the least's or more than the largest's."""
    sides = zip(least, size, largest, strict=True)
    return all(low <= side <= high for low, side, high in sides)


def written(size: Size) -> str:
    """As `parse_sizes` reads it."""
    height, width = size
    return f"{height}x{width}"
