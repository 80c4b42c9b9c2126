"""HRNet's input: the surroundings of a box, RGB, normalised as ImageNet's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engines.crops import crop
from engines.geometry import Pixels
from tests.parity.report import Figure

_TOLERANCE = 0.02  # mean absolute difference of normalised values
_HEIGHT, _WIDTH, _EVERY = 256, 192, 2  # of the stored input, and which of its pixels are stored
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of RGB, 0 to 1


def check(folder: Path) -> Figure:
    """The same affine transforms, and nearly the same values."""
    prepared = folder / "preprocessing"
    images = json.loads((prepared / "inputs.json").read_text("utf-8"))["images"]
    with np.load(prepared / "inputs.npz") as stored:
        differences = [
            _difference(
                np.asarray(cv2.imread(str(prepared / image["image"])), np.uint8),
                image["hrnet_256x192"],
                stored[f"{int(Path(image['image']).stem[-6:])}_hrnet_256x192"],
            )
            for image in images
        ]
    worst = max(differences)
    return Figure(worst <= _TOLERANCE, f"{worst:.4f} mean absolute difference")


def _difference(image: Pixels, expected: dict[str, Any], stored: np.ndarray) -> float:
    """Infinite where the affine transform differs."""
    ours = crop(image, np.array([expected["box_xywh"]]), _WIDTH, _HEIGHT)
    if not np.allclose(ours.frames.affines(_WIDTH, _HEIGHT)[0], expected["affine"], atol=1e-3):
        return float("inf")
    rgb = ours.pixels[0, ::_EVERY, ::_EVERY, ::-1] / 255
    normalised = (rgb - _MEAN) / _DEVIATION
    return float(np.abs(normalised.transpose(2, 0, 1) - stored).mean())
