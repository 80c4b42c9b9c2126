"""MultiPoseNet's input: its demonstration's, the longer side fitted to a black square."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engines.geometry import Pixels
from engines.models.multiposenet import corner
from engines.pixels import PIXELS
from tests.parity.report import Figure

_TOLERANCE = 0.02  # mean absolute difference of normalised values
_SIDE, _EVERY = 480, 4  # of the stored input, and which of its pixels are stored


def check(folder: Path) -> Figure:
    """The same sizes and scales, and nearly the same values."""
    prepared = folder / "preprocessing"
    images = json.loads((prepared / "inputs.json").read_text("utf-8"))["images"]
    name = f"multiposenet_{_SIDE}"
    with np.load(prepared / "inputs.npz") as stored:
        differences = [
            _difference(
                np.asarray(cv2.imread(str(prepared / image["image"])), np.uint8),
                image[name],
                stored[f"{int(Path(image['image']).stem[-6:])}_{name}"],
            )
            for image in images
        ]
    worst = max(differences)
    return Figure(worst <= _TOLERANCE, f"{worst:.4f} mean absolute difference")


def _difference(image: Pixels, expected: dict[str, Any], stored: np.ndarray) -> float:
    """Infinite where shape or scale differ."""
    ours = corner(image, _SIDE / max(image.shape[:2]), _SIDE, border=0)
    same = list(ours.pixels.shape[:2]) == expected["shape"][1:] and np.allclose(
        ours.scale, 1 / expected["scale"], rtol=5e-3
    )
    form = PIXELS["imagenet"]
    if not same or form is None:
        return float("inf")
    normalised = (ours.pixels[:, :, ::-1] - np.array(form.mean)) / form.scale
    return float(np.abs(normalised.transpose(2, 0, 1)[:, ::_EVERY, ::_EVERY] - stored).mean())
