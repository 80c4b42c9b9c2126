"""OpenPose's limb candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.grouping.fields import Connections, Floats, Ints, LimbFields, pairs
from engines.grouping.peaks import Peaks
from engines.skeletons import Skeleton

_MIN_SAMPLES, _MAX_SAMPLES = 5, 25
_COINCIDENT = 1e-6  # candidates at the same place, which no line connects
_NEAR = 1 / 150  # of the map's mean side: too near to each other for a field between them


@dataclass(frozen=True, slots=True)
class LineRule:
    """When a field connects two candidates.

    Attributes:
        threshold: what the field must have along the line at a point that counts.
        min_ratio: more than this share of the points must count.
        near_score: the score of two candidates that are near to each other, if they fail.
    """

    threshold: float
    min_ratio: float
    near_score: float


def connect(
    fields: Floats,
    peaks: Peaks,
    places: Floats,
    skeleton: Skeleton,
    *,
    stride: int,
    rule: LineRule,
) -> Connections:
    """Scores every pair that `skeleton` allows on (C, h, w) part affinity fields.

    It is the score of OpenPose's GPU path (`process` in bodyPartConnectorBase.cu): the mean of
    the field, enlarged `stride` times by cubic interpolation, over 5 to 25 points from the
    first candidate up to, but not at, the second. `places` are the (n, 2) x, y of the
    candidates on the enlarged map.

    Most pairs are not limbs and miss the field in the middle of their line: two points there
    are looked up first, and all of them only for pairs that may still pass.
    """
    limb, first, second = pairs(peaks, skeleton)
    on_fields = LimbFields(fields, skeleton, stride)
    size = fields.shape[2] * stride, fields.shape[1] * stride

    lines = _Lines(places[first], places[second])
    middle = lines.samples // 2 - np.arange(2)[:, None]
    along = on_fields.along(limb, *lines.points(middle, size), *lines.unit)
    count = lines.samples - (along <= rule.threshold).sum(axis=0)
    alive = np.flatnonzero(count > rule.min_ratio * lines.samples)

    likely = _Lines(places[first[alive]], places[second[alive]])
    points = np.arange(_MAX_SAMPLES)[:, None]
    along = on_fields.along(limb[alive], *likely.points(points, size), *likely.unit)
    counts = (along > rule.threshold) & (points < likely.samples)
    count = counts.sum(axis=0)
    passed = count > rule.min_ratio * likely.samples

    near = lines.length < _NEAR * np.sqrt(size[0] * size[1])
    score = np.where(near, np.float32(rule.near_score), np.float32(0))
    score[alive[passed]] = (along * counts).sum(axis=0)[passed] / count[passed]
    found = np.flatnonzero((score > 0) & (lines.length > _COINCIDENT))
    return Connections(limb[found], first[found], second[found], score[found])


class _Lines:
    """Lines from (n, 2) starts to ends, each with its own number of samples."""

    def __init__(self, start: Floats, end: Floats) -> None:
        line = end - start
        longest = np.abs(line).max(axis=1)
        samples = np.floor(np.sqrt(5 * longest) + np.float32(0.5)).astype(np.intp)
        self.samples: Ints = samples.clip(_MIN_SAMPLES, _MAX_SAMPLES)
        self.length: Floats = np.hypot(line[:, 0], line[:, 1])
        self.unit: Floats = (line / np.maximum(self.length, _COINCIDENT)[:, None]).T
        self._start = start
        self._step = line / self.samples[:, None].astype(np.float32)

    def points(self, index: Ints, size: tuple[int, int]) -> tuple[Floats, Floats]:
        """x and y (S, n): the pixels of those (S, n) or (S, 1) points of each line."""
        steps = index.astype(np.float32)
        x, y = (
            np.minimum(np.floor(steps * step + start + np.float32(0.5)), np.float32(side - 1))
            for step, start, side in zip(self._step.T, self._start.T, size, strict=True)
        )
        return x, y
