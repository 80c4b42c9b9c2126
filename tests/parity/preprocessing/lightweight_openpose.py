"""Lightweight OpenPose's input: fitted to a height, centred, grey around."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engines.geometry import Letterbox, Pixels, letterbox
from engines.pixels import PIXELS
from tests.parity.preprocessing.photographs import apart, compare
from tests.parity.report import Figure

_HEIGHT, _EVERY = 256, 4  # of the stored input, and which of its pixels are stored


def check(folder: Path) -> Figure:
    """The same sizes and paddings, and nearly the same values."""
    name = "lightweight_openpose"
    return compare(folder, name, _difference, stored_as=f"{name}_{_HEIGHT}")


def _difference(image: Pixels, expected: dict[str, Any], stored: np.ndarray) -> float:
    """Infinite where shape, scale or padding differ."""
    ours = letterbox(image, Letterbox(_HEIGHT))
    top, left, *_ = expected["pad_top_left_bottom_right"]
    same = (
        list(ours.pixels.shape[:2]) == expected["shape"][1:]
        and ours.offset == (left, top)
        and np.allclose(ours.scale, expected["scale"], rtol=5e-3)
    )
    return apart(ours.pixels, stored, PIXELS["centred"], _EVERY) if same else float("inf")
