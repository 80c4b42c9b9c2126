"""Light and colour."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.data.scene import Scene

_LUMA = np.array([0.114, 0.587, 0.299])  # of blue, green and red: ITU-R BT.601
_ACROSS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / math.sqrt(3)  # product with the greys
_MIDDLE = 127.5


@dataclass(frozen=True, slots=True)
class Colour:
    """Brightness, contrast, saturation and hue at once, since all are linear in the colours.

    Attributes:
        brightness: added or taken away at most, as a share of white.
        contrast, saturation: at most that much more or less than 1.
        hue: turn of the colours around the greys, at most, in degrees to either side.
    """

    brightness: float = 0.15
    contrast: float = 0.3
    saturation: float = 0.4
    hue: float = 15.0

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        brightness, contrast, saturation, hue = rng.uniform(-1, 1, 4)
        matrix = _turn(math.radians(self.hue * hue)) @ _saturated(1 + self.saturation * saturation)
        matrix *= 1 + self.contrast * contrast
        # Greys stay grey, since every row sums up to the contrast.
        moved = self.brightness * brightness * 255 + _MIDDLE - matrix.sum(axis=1) * _MIDDLE
        pixels = cv2.transform(scene.pixels, np.column_stack([matrix, moved]))
        return Scene(np.asarray(pixels, np.uint8), scene.people, scene.counts)


def _saturated(factor: float) -> npt.NDArray[np.float64]:
    return factor * np.eye(3) + (1 - factor) * np.tile(_LUMA, (3, 1))


def _turn(angle: float) -> npt.NDArray[np.float64]:
    """Rodrigues' rotation around the axis of the greys."""
    greys = np.full((3, 3), 1 / 3)
    turn = math.cos(angle) * (np.eye(3) - greys) + math.sin(angle) * _ACROSS + greys
    return np.asarray(turn, np.float64)
