"""People of whom only one half is in the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.skeletons import Skeleton
from training.data.scene import Scene, extent

_LEGS = ("hip", "knee", "ankle", "toe", "heel")


@dataclass(frozen=True, slots=True)
class HalfBody:
    """Cuts the picture around somebody's upper or lower body, as at the edge of a photograph.

    After Z. Wang et al., "MSCOCO Keypoints Challenge 2018", as in HRNet's training. There a crop
    is centred on the half; here the picture is cut, so that what follows sees only that.

    Attributes:
        skeleton: of the people.
        least: labelled keypoints of somebody who is cut; and half as many of a half.
        margin: around the half's keypoints, as a share of their box's longer side.
    """

    skeleton: Skeleton
    least: int = 8
    margin: float = 0.25

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        labelled = scene.people[:, :, 2] > 0
        whole = np.flatnonzero(labelled.sum(axis=1) >= self.least)
        if not len(whole):
            return scene
        person = scene.people[rng.choice(whole)].copy()
        legs = np.array([name.endswith(_LEGS) for name in self.skeleton.keypoints])
        person[legs if rng.random() < 0.5 else ~legs] = 0
        if (person[:, 2] > 0).sum() < self.least / 2:
            return scene
        low, high = extent(person)
        margin = self.margin * (high - low).max()
        left, top = np.maximum(low - margin, 0).astype(int)
        right, bottom = np.minimum(high + margin + 1, scene.size).astype(int)
        return scene.crop(left, top, right, bottom)
