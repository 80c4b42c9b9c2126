"""HRNet's input: the surroundings of a box, RGB, normalised as ImageNet's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.crops import crop
from engines.geometry import Pixels
from engines.pixels import PIXELS
from tests.parity.preprocessing.photographs import apart, compare
from tests.parity.report import Figure

_HEIGHT, _WIDTH, _EVERY = 256, 192, 2  # of the stored input, and which of its pixels are stored


def check(folder: Path) -> Figure:
    """The same affine transforms, and nearly the same values."""
    return compare(folder, f"hrnet_{_HEIGHT}x{_WIDTH}", _difference)


def _difference(image: Pixels, expected: dict[str, Any], stored: np.ndarray) -> float:
    """Infinite where the affine transform differs."""
    ours = crop(image, np.array([expected["box_xywh"]]), _WIDTH, _HEIGHT)
    if not np.allclose(ours.frames.affines(_WIDTH, _HEIGHT)[0], expected["affine"], atol=1e-3):
        return float("inf")
    return apart(ours.pixels[0], stored, PIXELS["imagenet"], _EVERY)
