"""Limb candidates: pairs of keypoint candidates that a part affinity field connects."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engines.grouping.peaks import Peaks
from engines.skeletons import Skeleton

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_BORDER = 2  # map pixels beyond its edge that cubic interpolation reads
_MAX_SIDE = 32_000  # cv2.remap takes no picture of 2 ** 15 columns


@dataclass(frozen=True, slots=True)
class FieldRule:
    """When a field connects two candidates.

    Attributes:
        samples: points of the line between them, both ends included.
        threshold: what the field must have along the line at a point that counts.
        min_ratio: more than this share of the points must count.
    """

    samples: int = 10
    threshold: float = 0.05
    min_ratio: float = 0.8


@dataclass(frozen=True, slots=True)
class Connections:
    """Connected pairs of candidates, in the order of the skeleton's limbs.

    Attributes:
        limb: (n,) index among the skeleton's limbs.
        first, second: (n,) indices among the candidates.
        score: (n,) mean of the field along the line, over the points that count.
    """

    limb: Ints
    first: Ints
    second: Ints
    score: Floats


def connect(
    fields: Floats, peaks: Peaks, skeleton: Skeleton, upsample: int, rule: FieldRule
) -> Connections:
    """Scores every pair that `skeleton` allows on (C, h, w) part affinity fields.

    The value of a field at a point is that of the field enlarged `upsample` times by cubic
    interpolation, as in the authors' code, but only the points of the lines are computed.
    Most pairs are not limbs and miss the field in the middle of their line: those points
    are looked up first, and the others only for pairs that may still pass.
    """
    limb, first, second = pairs(peaks, skeleton)
    lines = _Lines(LimbFields(fields, skeleton, upsample), peaks)
    allowed = rule.samples - (int(rule.min_ratio * rule.samples) + 1)  # points to miss
    middle = np.arange(rule.samples // 2 - 1, rule.samples // 2 + 1 + allowed)
    rest = np.setdiff1d(np.arange(rule.samples), middle)

    along = lines.along(limb, first, second, middle, rule.samples)
    alive = np.flatnonzero((along <= rule.threshold).sum(axis=0) <= allowed)
    limb, first, second = limb[alive], first[alive], second[alive]
    others = lines.along(limb, first, second, rest, rule.samples)
    along = np.concatenate([along[:, alive], others])

    counts = along > rule.threshold
    total = counts.sum(axis=0)
    passed = total > rule.min_ratio * rule.samples
    score = (along * counts).sum(axis=0)[passed] / total[passed]
    return Connections(limb[passed], first[passed], second[passed], score.astype(np.float32))


def pairs(peaks: Peaks, skeleton: Skeleton) -> tuple[Ints, Ints, Ints]:
    """Limb, first and second candidate of every pair, without a loop over limbs."""
    ends = np.asarray(skeleton.limbs, np.intp)
    sizes = np.diff(peaks.starts)[ends]
    count = sizes.prod(axis=1)
    limb = np.repeat(np.arange(len(ends)), count)
    within = np.arange(len(limb)) - np.repeat(np.cumsum(count) - count, count)
    a, b = np.divmod(within, sizes[limb, 1])
    return limb, peaks.starts[ends[limb, 0]] + a, peaks.starts[ends[limb, 1]] + b


class LimbFields:
    """The two maps of every limb, at whole points of their grid enlarged `upsample` times."""

    def __init__(self, fields: Floats, skeleton: Skeleton, upsample: int) -> None:
        self._upsample = np.float32(upsample)
        self._rows = fields.shape[1] + 2 * _BORDER
        channels = np.asarray(skeleton.fields, np.intp)
        self._x, self._y = _stack(fields[channels[:, 0]]), _stack(fields[channels[:, 1]])

    def along(self, limb: Ints, x: Floats, y: Floats, unit_x: Floats, unit_y: Floats) -> Floats:
        """(S, n): the fields of (n,) limbs at (S, n) points, along (n,) unit vectors.

        The points, float32, are overwritten.
        """
        self._onto_map(x)
        self._onto_map(y)
        y += (limb * self._rows + _BORDER).astype(np.float32)
        along: Floats = _look_up(self._x, x, y) * unit_x
        along += _look_up(self._y, x, y) * unit_y
        return along

    def _onto_map(self, points: Floats) -> None:
        points += np.float32(0.5)
        points /= self._upsample
        points -= np.float32(0.5)


class _Lines:
    """Looks fields up along lines between candidates."""

    def __init__(self, fields: LimbFields, peaks: Peaks) -> None:
        self._fields = fields
        self._at_x, self._at_y = peaks.xy.T.astype(np.float32)

    def along(self, limb: Ints, first: Ints, second: Ints, points: Ints, samples: int) -> Floats:
        """(len(points), n): the field's share along each line, at those of its points."""
        start_x, start_y = self._at_x[first], self._at_y[first]
        line_x, line_y = self._at_x[second] - start_x, self._at_y[second] - start_y
        step = (points / (samples - 1)).astype(np.float32)[:, None]
        x, y = np.rint(line_x * step + start_x), np.rint(line_y * step + start_y)
        length = np.hypot(line_x, line_y) + np.float32(1e-6)
        return self._fields.along(limb, x, y, line_x / length, line_y / length)


def _stack(maps: Floats) -> Floats:
    """(L, h, w) maps one below the other, each with its own edge repeated around it."""
    padded = np.pad(maps, ((0, 0), (_BORDER, _BORDER), (0, 0)), mode="edge")
    return padded.reshape(-1, maps.shape[2])


def _look_up(stacked: Floats, x: Floats, y: Floats) -> Floats:
    values = np.empty_like(x)
    for start in range(0, x.shape[1], _MAX_SIDE):
        part = slice(start, start + _MAX_SIDE)
        values[:, part] = cv2.remap(
            stacked, x[:, part], y[:, part], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
    return values
