"""DEKR's inputs: the short side fitted, black around."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engines.geometry import Pixels
from engines.models.dekr import place
from tests.parity.report import Figure

_TOLERANCE = 0.02  # mean absolute difference of normalised values
_EVERY = 8  # which pixels are stored
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB


def _check(short_side: int, folder: Path) -> Figure:
    """The same sizes and affines, and nearly the same values."""
    prepared = folder / "preprocessing"
    images = json.loads((prepared / "inputs.json").read_text("utf-8"))["images"]
    with np.load(prepared / "inputs.npz") as stored:
        differences = [
            _difference(
                np.asarray(cv2.imread(str(prepared / image["image"])), np.uint8),
                short_side,
                image[f"dekr_{short_side}"],
                stored[f"{int(Path(image['image']).stem[-6:])}_dekr_{short_side}"],
            )
            for image in images
        ]
    worst = max(differences)
    return Figure(worst <= _TOLERANCE, f"{worst:.4f} mean absolute difference")


check_512 = partial(_check, 512)
check_640 = partial(_check, 640)


def _difference(
    image: Pixels, short_side: int, expected: dict[str, Any], stored: np.ndarray
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
    values = (placement.warp(image)[::_EVERY, ::_EVERY, ::-1] / 255 - _MEAN) / _DEVIATION
    return float(np.abs(values.transpose(2, 0, 1) - stored).mean())
