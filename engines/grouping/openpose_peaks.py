"""OpenPose's keypoint candidates, without enlarging whole heatmaps."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from engines.grouping.peaks import Floats, Ints, Peaks, enlarge

Flags = npt.NDArray[np.bool_]

_REACH = 3  # enlarged pixels around a peak that its centroid looks at
_LEAST_SHARE = 0.2  # of its highest neighbour, in a cell that holds a peak


def find_peaks(heatmaps: Floats, stride: int, threshold: float, max_peaks: int) -> Peaks:
    """Peaks of (K, h, w) heatmaps enlarged `stride` times by cubic interpolation.

    A peak is higher than `threshold` and than its eight neighbours, and not in the enlarged
    map's outermost ring. Its keypoint is the centroid of the positive values of the 7x7
    pixels around it. They are ordered by keypoint, then y, then x; of each keypoint, the first
    `max_peaks` are kept. All of that is OpenPose's GPU path (nmsBase.cu); between level
    neighbours, rounding decides.

    Only cells that may hold a peak are enlarged: in white noise of four times the
    threshold two peaks of a hundred are missed, in smooth noise one of several hundred. The
    stride is at least 5, for the centroid's surroundings.
    """
    parts, height, width = heatmaps.shape
    part, cell_y, cell_x = np.nonzero(_may_hold_peaks(heatmaps, threshold))
    values = enlarge(heatmaps, part, cell_y, cell_x, up=stride)
    in_y, in_x, cell = np.nonzero(_are_peaks(values, threshold))

    x, y = cell_x[cell] * stride + in_x, cell_y[cell] * stride + in_y
    inside = (x > 0) & (x < width * stride - 1) & (y > 0) & (y < height * stride - 1)
    order = np.lexsort((x, y, part[cell]))
    order = order[inside[order]]
    starts = np.searchsorted(part[cell[order]], np.arange(parts + 1))
    rank = np.arange(len(order)) - starts[part[cell[order]]]
    order = order[rank < max_peaks]

    cell, in_y, in_x = cell[order], in_y[order], in_x[order]
    xy = np.stack([x[order], y[order]], axis=1)
    around = enlarge(heatmaps, part[cell], cell_y[cell], cell_x[cell], up=stride, margin=_REACH)
    around = _windows(around, in_y, in_x)
    return Peaks(
        part[cell],
        xy,
        around[:, _REACH, _REACH],
        _to_centroid(around, xy, width * stride, height * stride),
        np.searchsorted(part[cell], np.arange(parts + 1)),
    )


def _may_hold_peaks(heatmaps: Floats, threshold: float) -> Flags:
    """(K, h, w): cells that are not far lower than the threshold or a neighbour."""
    around = np.stack([cv2.dilate(one, np.ones((3, 3), np.uint8)) for one in heatmaps])
    high: Flags = heatmaps >= np.maximum(around * _LEAST_SHARE, threshold / 2)
    return high


def _are_peaks(enlarged: Floats, threshold: float) -> Flags:
    """(up, up, n): which pixels of (n, up + 2, up + 2) enlarged cells are peaks."""
    values = np.ascontiguousarray(enlarged.transpose(1, 2, 0))  # long rows are faster to compare
    beside = np.maximum(values[:, :-2], values[:, 2:])
    rows = np.maximum(beside, values[:, 1:-1])
    here = values[1:-1, 1:-1]
    is_peak: Flags = here > threshold
    is_peak &= (here > beside[1:-1]) & (here > rows[:-2]) & (here > rows[2:])
    return is_peak


def _windows(values: Floats, y: Ints, x: Ints) -> Floats:
    """(n, 7, 7): around pixel y, x of each of (n, up + 6, up + 6) enlarged cells."""
    reach = np.arange(2 * _REACH + 1)
    rows, columns = y[:, None] + reach, x[:, None] + reach
    cells = np.arange(len(values))[:, None, None]
    windows: Floats = values[cells, rows[:, :, None], columns[:, None, :]]
    return windows


def _to_centroid(around: Floats, xy: Ints, width: int, height: int) -> Floats:
    """(n, 2): from peaks to the centroid of the positive values around them, inside the map."""
    reach = np.arange(-_REACH, _REACH + 1)
    columns, rows = xy[:, :1] + reach, xy[:, 1:] + reach
    weights = np.maximum(around, 0)
    weights *= ((columns >= 0) & (columns < width))[:, None, :]
    weights *= ((rows >= 0) & (rows < height))[:, :, None]
    moments = np.stack([weights.sum(axis=1) @ reach, weights.sum(axis=2) @ reach], axis=1)
    shift: Floats = (moments / weights.sum(axis=(1, 2))[:, None]).astype(np.float32)
    return shift
