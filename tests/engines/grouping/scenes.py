"""Heatmaps and fields drawn from people, for tests of the grouping."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from engines.people import Floats
from engines.skeletons import Skeleton

STRIDE = 8
Points = Mapping[int, tuple[float, float]]  # keypoint -> x, y in network-input pixels

# Where keypoints of somebody who stands are, in pixels from the belly button.
STANDING = {
    "nose": (0, -70),
    "neck": (0, -50),
    "right_shoulder": (-20, -50),
    "right_elbow": (-25, -20),
    "right_wrist": (-28, 8),
    "left_shoulder": (20, -50),
    "left_elbow": (25, -20),
    "left_wrist": (28, 8),
    "mid_hip": (0, 8),
    "right_hip": (-12, 10),
    "right_knee": (-12, 50),
    "right_ankle": (-12, 90),
    "left_hip": (12, 10),
    "left_knee": (12, 50),
    "left_ankle": (12, 90),
    "right_eye": (-5, -76),
    "left_eye": (5, -76),
    "right_ear": (-12, -72),
    "left_ear": (12, -72),
    "left_big_toe": (20, 96),
    "left_small_toe": (25, 94),
    "left_heel": (9, 96),
    "right_big_toe": (-20, 96),
    "right_small_toe": (-25, 94),
    "right_heel": (-9, 96),
    "head_top": (0, -85),
    "chest": (0, -20),
}


def standing(
    skeleton: Skeleton, x: float, y: float, size: float = 1.0, only: Collection[str] = STANDING
) -> Points:
    """Somebody who stands there, of whom those keypoints alone are seen."""
    return {
        part: (x + size * STANDING[name][0], y + size * STANDING[name][1])
        for part, name in enumerate(skeleton.keypoints)
        if name in only
    }


def draw_maps(
    people: Sequence[Points], skeleton: Skeleton, height: int = 46, width: int = 82
) -> tuple[Floats, Floats]:
    """(K + 1, h, w) heatmaps, Gaussian peaks of 7 pixels, and (C, h, w) fields, 8 pixels wide."""
    ys, xs = np.mgrid[:height, :width] * STRIDE + (STRIDE - 1) / 2
    heatmaps = np.zeros((len(skeleton.keypoints) + 1, height, width))
    fields = np.zeros((2 * len(skeleton.limbs), height, width))
    for person in people:
        for part, (x, y) in person.items():
            heat = np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 7**2))
            heatmaps[part] = np.maximum(heatmaps[part], heat)
        for (first, second), channels in zip(skeleton.limbs, skeleton.fields, strict=True):
            if first in person and second in person:
                drawn = _limb(xs, ys, person[first], person[second])
                fields[list(channels)] = np.where(drawn != 0, drawn, fields[list(channels)])
    return heatmaps.astype(np.float32), fields.astype(np.float32)


def _limb(
    xs: np.ndarray, ys: np.ndarray, first: tuple[float, float], second: tuple[float, float]
) -> np.ndarray:
    start, line = np.array(first), np.subtract(second, first)
    length = np.hypot(*line)
    unit = line / length
    x, y = xs - start[0], ys - start[1]
    along, aside = x * unit[0] + y * unit[1], x * unit[1] - y * unit[0]
    on_limb = (along > -STRIDE) & (along < length + STRIDE) & (np.abs(aside) < STRIDE)
    field: np.ndarray = unit[:, None, None] * on_limb
    return field
