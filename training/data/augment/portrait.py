"""People seen from as near as portraits are taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engines.geometry import Floats
from engines.skeletons import Skeleton
from training.data.augment.affine import Matrix, warp
from training.data.augment.chain import Augmentation
from training.data.scene import Scene

_TALL = 1.3  # widths of the shoulders in a trunk, of people seen from the front
_LEAST = 4.0  # pixels; of a smaller trunk there is nothing to be seen from near
_BENT = 0.25  # of a trunk's length; what is shorter says little of where down is


class Trunk(NamedTuple):
    """Where somebody's upper body is.

    Attributes:
        shoulders: x, y between the two.
        down: from there to between the hips.
    """

    shoulders: Floats
    down: Floats


@dataclass(frozen=True, slots=True)
class Portrait:
    """Somebody upright, from the head down to the chest, the hips or the knees.

    The yardstick is the trunk. It is brought to an upright place whatever the person does: of
    those who do sports many lie or stand on their hands, and few in photographs taken from near.
    What does not fit reaches beyond the crop, as in photographs.

    Attributes:
        skeleton: of the people.
        otherwise: for a picture in which nobody's shoulders are labelled.
        size: width and height of the crop.
        rotation: from upright, at most, in degrees to either side.
        sides: least and greatest of the crop's shorter side, in trunks.
        above: least and greatest of what is seen above the shoulders, in trunks; a head ends at
            about three quarters.
        shift: of the crop's width, how far from its middle the person may be.
        max_zoom: crop pixels for a picture's pixel, at most.
    """

    skeleton: Skeleton
    otherwise: Augmentation
    size: tuple[int, int] = (192, 192)
    rotation: float = 25.0
    sides: tuple[float, float] = (1.4, 3.6)
    above: tuple[float, float] = (0.4, 1.0)
    shift: float = 0.25
    max_zoom: float = 4.0

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        found = trunks(scene.people, self.skeleton)
        if not found:
            return self.otherwise(scene, rng)
        return warp(scene, self._matrix(found[rng.integers(len(found))], rng), self.size)

    def _matrix(self, trunk: Trunk, rng: np.random.Generator) -> Matrix:
        length = float(np.hypot(*trunk.down))
        side = math.exp(rng.uniform(*np.log(self.sides)))
        zoom = min(min(self.size) / (length * side), self.max_zoom)
        angle = math.radians(rng.uniform(-self.rotation, self.rotation))
        # What is down for the person becomes the crop's down, but for that angle.
        angle += math.atan2(*trunk.down.tolist())
        cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        across = self.size[0] * (0.5 + rng.uniform(-self.shift, self.shift))
        above = rng.uniform(*self.above) * length * zoom
        return np.column_stack([turn, (across, above) - turn @ trunk.shoulders])


def trunks(people: Floats, skeleton: Skeleton) -> list[Trunk]:
    """Of those of the people (P, K, 3) whose shoulders are labelled.

    A trunk is at least as long as its shoulders' width says, since it may be bent towards the
    picture. Where the hips are not labelled, or say nothing, it is upright.
    """
    made = (_trunk(person, skeleton) for person in people)
    return [trunk for trunk in made if trunk is not None]


def _trunk(person: Floats, skeleton: Skeleton) -> Trunk | None:
    shoulders, hips = _pair(person, "shoulder", skeleton), _pair(person, "hip", skeleton)
    if shoulders is None:
        return None
    between, down = shoulders.mean(axis=0), np.zeros(2, np.float32)
    if hips is not None:
        down = hips.mean(axis=0) - between
    seen = float(np.hypot(*down))
    length = max(_TALL * float(np.hypot(*(shoulders[0] - shoulders[1]))), seen)
    if length < _LEAST:
        return None
    towards = np.array([0, 1], np.float32) if seen < _BENT * length else down / np.float32(seen)
    return Trunk(between, towards * np.float32(length))


def _pair(person: Floats, joint: str, skeleton: Skeleton) -> Floats | None:
    """Both of somebody's (2, 2) x, y, if both are labelled."""
    both = person[[skeleton.keypoints.index(f"{side}_{joint}") for side in ("left", "right")]]
    return both[:, :2] if (both[:, 2] > 0).all() else None
