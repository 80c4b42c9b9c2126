"""Heatmaps and fields drawn from people, for tests of the grouping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engines.people import Floats
from engines.skeletons import Skeleton

STRIDE = 8
Points = Mapping[int, tuple[float, float]]  # keypoint -> x, y in network-input pixels


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
