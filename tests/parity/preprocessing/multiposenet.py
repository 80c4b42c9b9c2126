"""MultiPoseNet's input: its demonstration's, the longer side fitted to a black square."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.geometry import Pixels
from engines.models.multiposenet import corner
from engines.pixels import PIXELS
from tests.parity.preprocessing.photographs import apart, compare
from tests.parity.report import Figure

_SIDE, _EVERY = 480, 4  # of the stored input, and which of its pixels are stored


def check(folder: Path) -> Figure:
    """The same sizes and scales, and nearly the same values."""
    return compare(folder, f"multiposenet_{_SIDE}", _difference)


def _difference(image: Pixels, expected: dict[str, Any], stored: np.ndarray) -> float:
    """Infinite where shape or scale differ."""
    ours = corner(image, _SIDE / max(image.shape[:2]), _SIDE, border=0)
    same = list(ours.pixels.shape[:2]) == expected["shape"][1:] and np.allclose(
        ours.scale, 1 / expected["scale"], rtol=5e-3
    )
    return apart(ours.pixels, stored, PIXELS["imagenet"], _EVERY) if same else float("inf")
