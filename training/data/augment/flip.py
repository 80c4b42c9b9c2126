"""Left and right exchanged."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np

from engines.skeletons import Skeleton
from training.data.scene import Bits, Scene


@dataclass(frozen=True, slots=True)
class Flip:
    """The mirrored picture, in which a left hand is a right one."""

    skeleton: Skeleton

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:  # noqa: ARG002
        people = scene.people[:, self.skeleton.mirrored]
        people[:, :, 0] = np.where(people[:, :, 2] > 0, scene.size[0] - people[:, :, 0], 0)
        pixels = np.asarray(cv2.flip(scene.pixels, 1), np.uint8)
        return Scene(pixels, people, self._exchanged(scene.counts[:, ::-1]))

    def _exchanged(self, bits: Bits) -> Bits:
        """Bits of left and right keypoints exchanged, all pairs that are as far apart at once."""
        apart: dict[int, int] = defaultdict(int)
        for pair in self.skeleton.flip_pairs:
            apart[abs(pair[0] - pair[1])] |= 1 << min(pair)
        bits = np.ascontiguousarray(bits)
        for distance, lower in apart.items():
            differ = ((bits >> distance) ^ bits) & np.int32(lower)
            bits = bits ^ differ ^ (differ << distance)
        return bits
