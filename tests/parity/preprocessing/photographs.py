"""The photographs of a fixtures folder, and what originals made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from engines.geometry import Pixels
from engines.pixels import PixelForm
from tests.parity.report import Figure

_TOLERANCE = 0.02  # mean absolute difference of normalised values

Difference = Callable[[Pixels, dict[str, Any], np.ndarray], float]
"""Mean absolute difference from a photograph, what is said of its input, and stored values."""


def compare(folder: Path, name: str, difference: Difference, stored_as: str = "") -> Figure:
    """The worst of the photographs for the pipeline `name`."""
    prepared = folder / "preprocessing"
    images = json.loads((prepared / "inputs.json").read_text("utf-8"))["images"]
    with np.load(prepared / "inputs.npz") as stored:
        worst = max(
            difference(
                np.asarray(cv2.imread(str(prepared / image["image"])), np.uint8),
                image[name],
                stored[f"{int(Path(image['image']).stem[-6:])}_{stored_as or name}"],
            )
            for image in images
        )
    return Figure(worst <= _TOLERANCE, f"{worst:.4f} mean absolute difference")


def apart(pixels: Pixels, stored: np.ndarray, form: PixelForm | None, every: int) -> float:
    """How far (h, w, 3) BGR pixels, in the network's form, are from every so many stored."""
    if form is None:
        raise ValueError("a network without pixels has no photographs")
    channels = pixels[::every, ::every, :: -1 if form.rgb else 1]
    normalised = (channels.astype(np.float32) - form.mean) / form.scale
    return float(np.abs(normalised.transpose(2, 0, 1) - stored).mean())
