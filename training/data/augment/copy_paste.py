"""People of other pictures, pasted in front of those who are there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from engines.geometry import Floats
from engines.skeletons import Skeleton
from training.data.augment.affine import Affine, anyone, warp
from training.data.augment.silhouette import silhouette
from training.data.sample import Source
from training.data.scene import Scene, extent, labelled

_INSIDE = 127  # of 255: where a pasted person is rather than the picture behind


@dataclass(frozen=True, slots=True)
class CopyPaste:
    """Pastes people with a soft mask of their limbs, near somebody so that they overlap.

    A keypoint behind a pasted person stays labelled, as hidden (1), while another that a limb
    ties it to is in sight, so that people guess where it is, as COCO's annotators did; else it
    is no longer labelled (0). Where the pasted person is, labels count as in their own picture.

    After G. Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance
    Segmentation", 2021, with the mask drawn from keypoints, since not all data has outlines.

    Attributes:
        skeleton: of the people.
        others: where people come from.
        people: at most so many.
        affine: their rotation and scale. They are about as large as whom they are pasted near,
            but neither larger than its `fill` says nor smaller than a third of that.
        spread: how far from somebody's centre, in that person's longer sides, at most.
    """

    skeleton: Skeleton
    others: Source
    people: int = 2
    affine: Affine = field(default_factory=Affine)
    spread: float = 0.6

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        for _ in range(rng.integers(1, self.people, endpoint=True)):
            other = self.others(rng)
            person = anyone(other.people, rng)
            if person is not None:
                scene = self._pasted(scene, other, person, rng)
        return scene

    def _pasted(
        self, scene: Scene, other: Scene, person: Floats, rng: np.random.Generator
    ) -> Scene:
        place, fill = self._place(scene, rng)
        matrix = replace(self.affine, size=scene.size, fill=fill).of_person(person, rng)
        matrix[:, 2] = place - matrix[:, :2] @ np.mean(extent(person), axis=0)
        source = warp(Scene(other.pixels, person[None], other.counts), matrix, scene.size)
        if not len(source.people):
            return scene
        mask = silhouette(source.people[0], self.skeleton, scene.size)
        alpha = mask * np.float32(1 / 255)
        pixels = cv2.blendLinear(source.pixels, scene.pixels, alpha, 1 - alpha)
        covered = mask > _INSIDE
        behind = occluded(scene.people, covered, self.skeleton)
        return Scene(
            np.asarray(pixels, np.uint8),
            np.concatenate([behind, source.people]),
            np.where(covered, source.counts, scene.counts),
        )

    def _place(
        self, scene: Scene, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.float64], float]:
        """Near somebody, or anywhere if nobody is there; and the share of the scene to fill."""
        near, fill = anyone(scene.people, rng), self.affine.fill
        if near is None:
            return rng.uniform(0, scene.size), fill
        low, high = extent(near)
        longer = float((high - low).max())
        place = (low + high) / 2 + rng.uniform(-self.spread, self.spread, 2) * longer
        return place.clip(0, scene.size), float(np.clip(longer / min(scene.size), fill / 3, fill))


def occluded(people: Floats, covered: npt.NDArray[np.bool_], skeleton: Skeleton) -> Floats:
    """People (P, K, 3) behind what covers the pixels (H, W)."""
    x, y = people[:, :, 0].astype(int), people[:, :, 1].astype(int)
    known = people[:, :, 2] > 0
    hidden = known & covered[y, x]
    tied = np.zeros((len(skeleton.keypoints),) * 2, int)
    first, second = np.transpose(skeleton.limbs)
    tied[first, second] = tied[second, first] = 1
    guessed = (known & ~hidden) @ tied > 0
    behind = people.copy()
    behind[hidden & guessed, 2] = 1
    behind[hidden & ~guessed] = 0
    return labelled(behind)
