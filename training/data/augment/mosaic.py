"""Four scenes side by side."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from training.data.augment.affine import Affine
from training.data.sample import Source
from training.data.scene import Scene, moved


@dataclass(frozen=True, slots=True)
class Mosaic:
    """A crowd of small people: the scene and three others, each warped to its piece alone.

    After A. Bochkovskiy et al., "YOLOv4: Optimal Speed and Accuracy of Object Detection", 2020.

    Attributes:
        others: where three of the scenes come from.
        affine: of every piece, relative to the piece; its size is that of the whole.
        cross: least and greatest share of width and height at which the pieces meet.
    """

    others: Source
    affine: Affine = field(default_factory=Affine)
    cross: tuple[float, float] = (0.35, 0.65)

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        scenes = [scene, *(self.others(rng) for _ in range(3))]
        width, height = self.affine.size
        x, y = np.rint(rng.uniform(*self.cross, 2) * self.affine.size).astype(int).tolist()
        corners = [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]
        pixels = np.empty((height, width, 3), np.uint8)
        counts = np.empty((height, width), np.int32)
        people = []
        for index, (left, top, right, bottom) in zip(rng.permutation(4), corners, strict=True):
            piece = replace(self.affine, size=(right - left, bottom - top))(scenes[index], rng)
            pixels[top:bottom, left:right] = piece.pixels
            counts[top:bottom, left:right] = piece.counts
            people.append(moved(piece.people, left, top))
        return Scene(pixels, np.concatenate(people), counts)
