"""Lightweight OpenPose's input: fitted to a height, centred, grey around."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engines.geometry import Letterbox, Pixels, letterbox
from tests.parity.report import Figure

_TOLERANCE = 0.02  # mean absolute difference of normalised values
_HEIGHT, _EVERY = 256, 4  # of the stored input, and which of its pixels are stored


def check(folder: Path) -> Figure:
    """The same sizes and paddings, and nearly the same values."""
    prepared = folder / "preprocessing"
    images = json.loads((prepared / "inputs.json").read_text("utf-8"))["images"]
    with np.load(prepared / "inputs.npz") as stored:
        differences = [
            _difference(
                np.asarray(cv2.imread(str(prepared / image["image"])), np.uint8),
                image["lightweight_openpose"],
                stored[f"{int(Path(image['image']).stem[-6:])}_lightweight_openpose_{_HEIGHT}"],
            )
            for image in images
        ]
    worst = max(differences)
    return Figure(worst <= _TOLERANCE, f"{worst:.4f} mean absolute difference")


def _difference(image: Pixels, expected: dict[str, Any], stored: np.ndarray) -> float:
    """Infinite where shape, scale or padding differ."""
    ours = letterbox(image, Letterbox(_HEIGHT))
    top, left, *_ = expected["pad_top_left_bottom_right"]
    same = (
        list(ours.pixels.shape[:2]) == expected["shape"][1:]
        and ours.offset == (left, top)
        and np.allclose(ours.scale, expected["scale"], rtol=5e-3)
    )
    if not same:
        return float("inf")
    normalised = (ours.pixels.astype(np.float32) - 128) / 256
    return float(np.abs(normalised.transpose(2, 0, 1)[:, ::_EVERY, ::_EVERY] - stored).mean())
