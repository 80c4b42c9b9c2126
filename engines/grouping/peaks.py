"""Keypoint candidates: the peaks of upsampled heatmaps, without upsampling the maps.

The part affinity systems look for peaks on heatmaps enlarged by cubic interpolation. Nearly
all of that enlarged map is background, so only the cells that can hold a peak are
enlarged here: a gather of their 5x5 surroundings and one matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_CUBIC = -0.75  # the kernel of OpenCV's INTER_CUBIC
_RADIUS = 2  # map pixels around a cell that its cubic interpolation reads


@dataclass(frozen=True, slots=True)
class Peaks:
    """Candidates of all keypoints, ordered by keypoint.

    Attributes:
        part: (n,) keypoint index.
        xy: (n, 2) whole x, y on the upsampled grid.
        score: (n,) height of the upsampled heatmap there.
        shift: (n, 2) from there to the keypoint, in pixels of the upsampled grid.
        starts: (K + 1,) where the candidates of each keypoint start.
    """

    part: Ints
    xy: Ints
    score: Floats
    shift: Floats
    starts: Ints


@dataclass(frozen=True, slots=True)
class PeakRule:
    """Where a peak is one.

    Attributes:
        upsample: enlargement of the heatmaps.
        threshold: the least height of a peak.
        min_distance: of two peaks of one keypoint that are nearer than this on the
            upsampled grid, the one further left is kept, as the authors' code does.
        max_peaks: of each keypoint; the highest are kept. OpenPose's limit is the same.
    """

    upsample: int = 4
    threshold: float = 0.1
    min_distance: float = 6.0
    max_peaks: int = 127


def find_peaks(heatmaps: Floats, rule: PeakRule) -> Peaks:
    """Peaks of (K, h, w) heatmaps: higher than their four neighbours, and than 0 outside.

    They are ordered by keypoint, then x, then y. The keypoint is at the top of the parabola
    through the neighbours, at most half a pixel of the upsampled grid away.

    Of two equally high neighbours the right or lower one is the peak: int8 engines give
    plateaus, where the authors' strict comparison finds nothing.
    """
    parts, height, width = heatmaps.shape
    up = rule.upsample
    cells = np.flatnonzero(heatmaps >= rule.threshold / 2)
    part, cell_y, cell_x = np.unravel_index(cells, heatmaps.shape)
    values = enlarge(heatmaps, part, cell_y, cell_x, up=up)
    values[cell_y == 0, 0], values[cell_y == height - 1, -1] = 0, 0
    values[cell_x == 0, :, 0], values[cell_x == width - 1, :, -1] = 0, 0

    top, left = values[:, :-2, 1:-1], values[:, 1:-1, :-2]
    bottom, right = values[:, 2:, 1:-1], values[:, 1:-1, 2:]
    here = values[:, 1:-1, 1:-1]
    is_peak = (here >= rule.threshold) & (here >= top) & (here >= left)
    is_peak &= (here > bottom) & (here > right)
    cell, y, x = np.nonzero(is_peak)
    score = here[cell, y, x]
    shift_x = _parabola(left[cell, y, x], score, right[cell, y, x])
    shift_y = _parabola(top[cell, y, x], score, bottom[cell, y, x])

    part, x, y = part[cell], cell_x[cell] * up + x, cell_y[cell] * up + y
    order = np.lexsort((y, x, part))
    part, score = part[order], score[order]
    xy = np.stack([x[order], y[order]], axis=1)
    kept = _far_enough(part, xy, rule.min_distance)
    kept &= among_highest(part, np.where(kept, score, -1), rule.max_peaks)
    part = part[kept]
    return Peaks(
        part,
        xy[kept],
        score[kept],
        np.stack([shift_x, shift_y], axis=1)[order][kept],
        np.searchsorted(part, np.arange(parts + 1)),
    )


def enlarge(heatmaps: Floats, part: Ints, y: Ints, x: Ints, *, up: int, margin: int = 1) -> Floats:
    """(n, up + 2 * margin, up + 2 * margin): cells enlarged `up` times, as OpenCV does.

    Args:
        heatmaps: (K, h, w).
        part, y, x: (n,) the cells.
        up: the enlargement.
        margin: of a cell's surroundings, in enlarged pixels; at most (up + 1) / 2.
    """
    side = 2 * _RADIUS
    padded = np.pad(heatmaps, ((0, 0), (_RADIUS,) * 2, (_RADIUS,) * 2), mode="edge")
    _, rows, columns = padded.shape
    first = (part * rows + y) * columns + x
    reach = np.arange(side + 1)
    around = (reach[:, None] * columns + reach).ravel()
    patches = padded.ravel().take(first[:, None] + around)
    enlarged: Floats = patches @ _cubic_weights(up, margin)
    return enlarged.reshape(-1, up + 2 * margin, up + 2 * margin)


@cache
def _cubic_weights(up: int, margin: int) -> Floats:
    """(25, (up + 2 * margin) ** 2): from a 5x5 patch to its centre cell enlarged `up` times."""
    at = (np.arange(-margin, up + margin) + 0.5) / up - 0.5  # map pixels from the cell's centre
    distance = np.abs(at[None] - np.arange(-_RADIUS, _RADIUS + 1)[:, None])
    a = _CUBIC
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
    line = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    weights: Floats = np.einsum("ik,jl->ijkl", line, line).astype(np.float32)
    return weights.reshape(line.shape[0] ** 2, -1)


def _parabola(before: Floats, here: Floats, after: Floats) -> Floats:
    bend = 2 * here - before - after
    shift: Floats = 0.5 * (after - before) / np.maximum(bend, np.float32(1e-12))
    return shift.clip(-0.5, 0.5)


def _far_enough(part: Ints, xy: Ints, distance: float) -> npt.NDArray[np.bool_]:
    """Walks the candidates from left to right and drops those too near to a kept one."""
    kept = np.ones(len(part), np.bool_)
    close: list[tuple[int, int]] = []
    ahead = 1
    while ahead < len(part):
        same = part[ahead:] == part[:-ahead]
        gap = xy[ahead:] - xy[:-ahead]
        reachable = same & (gap[:, 0] < distance)
        if not reachable.any():
            break
        near = reachable & ((gap**2).sum(axis=1) < distance**2)
        close += [(int(i), int(i) + ahead) for i in np.flatnonzero(near)]
        ahead += 1
    for first, second in sorted(close):
        if kept[first]:
            kept[second] = False
    return kept


def among_highest(part: Ints, score: Floats, limit: int) -> npt.NDArray[np.bool_]:
    """True for the `limit` highest of each part."""
    if len(part) <= limit:
        return np.ones(len(part), np.bool_)
    order = np.lexsort((-score, part))
    rank = np.empty(len(part), np.intp)
    rank[order] = np.arange(len(part)) - np.searchsorted(part, part)
    return rank < limit
