"""Scenes drawn for tests: people who stand, with a dot on every keypoint."""

from __future__ import annotations

import numpy as np

from engines.people import Floats
from engines.skeletons import OPENPOSE_18, Skeleton
from tests.engines.grouping.scenes import standing
from training.data.scene import Scene, everything

KEYPOINTS = len(OPENPOSE_18.keypoints)
ALL = everything(KEYPOINTS)
DOT = 2  # reach of a dot, in pixels
_GROUND = 60


def person(
    x: float, y: float, size: float = 1.0, skeleton: Skeleton = OPENPOSE_18, visibility: int = 2
) -> Floats:
    """(1, K, 3): somebody who stands there."""
    points = standing(skeleton, x, y, size)
    rows = [(*points[part], visibility) for part in range(len(skeleton.keypoints))]
    return np.array([rows], np.float32)


def scene(people: Floats, width: int = 320, height: int = 240) -> Scene:
    """A dot around the centre of the pixel that each labelled keypoint is in."""
    pixels = np.full((height, width, 3), _GROUND, np.uint8)
    for x, y, visibility in people.reshape(-1, 3):
        if visibility:
            column, row = int(x), int(y)
            pixels[row - DOT : row + DOT + 1, column - DOT : column + DOT + 1] = 255
    return Scene(pixels, people, np.full((height, width), ALL, np.int32))


def dot(drawn: Scene, point: Floats, reach: int) -> Floats:
    """x, y of the middle of what is bright around a point, as COCO counts."""
    column, row = int(point[0]), int(point[1])
    top, left = max(0, row - reach), max(0, column - reach)
    part = drawn.pixels[top : row + reach + 1, left : column + reach + 1, 0].astype(float)
    bright = np.where(part > 200, part - 200, 0)
    ys, xs = np.mgrid[: part.shape[0], : part.shape[1]] + 0.5
    middle = np.array([(bright * xs).sum(), (bright * ys).sum()]) / bright.sum()
    found: Floats = (middle + np.array([left, top])).astype(np.float32)
    return found


def only(people: Floats, *names: str) -> Floats:
    """The people with these keypoints alone labelled."""
    kept = np.zeros_like(people)
    for name in names:
        part = OPENPOSE_18.keypoints.index(name)
        kept[:, part] = people[:, part]
    return kept
