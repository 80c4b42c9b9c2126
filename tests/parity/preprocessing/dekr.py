"""DEKR's inputs: the short side fitted, black around."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engines.geometry import Pixels
from engines.models.dekr import place
from engines.pixels import PIXELS
from tests.parity.preprocessing.photographs import apart, compare
from tests.parity.report import Figure

_EVERY = 8  # which pixels are stored


def _check(short_side: int, folder: Path) -> Figure:
    """The same sizes and affines, and nearly the same values."""
    return compare(folder, f"dekr_{short_side}", partial(_difference, short_side))


check_512 = partial(_check, 512)
check_640 = partial(_check, 640)


def _difference(
    short_side: int, image: Pixels, expected: dict[str, Any], stored: np.ndarray
) -> float:
    """Infinite where shape or affine differ."""
    height, width = image.shape[:2]
    placement = place(width, height, short_side)
    corners = np.array([[0, 0], placement.size], np.float32)
    affine = np.array(expected["inverse_affine_from_input_pixels"])
    there = corners @ affine[:, :2].T + affine[:, 2]
    if list(placement.size[::-1]) != expected["shape"][1:] or not np.allclose(
        placement.to_image(corners), there, rtol=0, atol=1e-3
    ):
        return np.inf
    return apart(placement.warp(image), stored, PIXELS["imagenet"], _EVERY)
