"""RetinaNet's anchors, and the boxes that a network places by them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from engines.people import Floats

_LEVELS = (3, 4, 5, 6, 7)  # of the feature pyramid; level i has stride 2^i
_SIDE = 4  # of the smallest anchor of a level, in strides
_SCALES = 2 ** (np.arange(3) / 3)
_RATIOS = np.array([0.5, 1, 2])  # height to width
_DEVIATION = np.array([0.1, 0.1, 0.2, 0.2], np.float32)  # of the deltas in training


@lru_cache(maxsize=16)
def anchors(height: int, width: int) -> Floats:
    """The anchors of a network input of `height` and `width` pixels.

    Lin et al., "Focal Loss for Dense Object Detection", 2017, ordered as in
    yhenon/pytorch-retinanet: levels, rows, columns, ratios, scales.

    Returns:
        (A, 4) float32 x1, y1, x2, y2 in pixels; they reach beyond the input. Read-only, as it is
        shared by the callers of one size.
    """
    made = np.concatenate([_level(height, width, 2**level) for level in _LEVELS])
    made.setflags(write=False)
    return made


def boxes(anchors: Floats, deltas: Floats, height: int, width: int) -> Floats:
    """The boxes at `deltas` from `anchors`, clipped to the input of `height` and `width` pixels.

    A box that lies outside it has no width or no height; yhenon/pytorch-retinanet clips x1 and
    y1 at 0 alone, x2 and y2 at the far sides alone, and gives it a negative one.

    Args:
        anchors: (n, 4) x1, y1, x2, y2; those that matter are enough.
        deltas: (n, 4) of centre x, y, and of the logarithms of width and height.

    Returns:
        (n, 4) float32 x1, y1, x2, y2 in pixels.
    """
    scaled = deltas * _DEVIATION
    sides = anchors[:, 2:] - anchors[:, :2]
    centres = anchors[:, :2] + sides / 2 + scaled[:, :2] * sides
    halves = sides * np.exp(scaled[:, 2:]) / 2
    limits = np.array([width, height], np.float32)
    corners = np.stack([centres - halves, centres + halves], axis=1)
    return corners.clip(0, limits).reshape(-1, 4)


def _level(height: int, width: int, stride: int) -> Floats:
    """Anchors round the middle of every cell."""
    areas = (_SIDE * stride * _SCALES) ** 2
    widths = np.sqrt(areas / _RATIOS[:, None])
    halves = np.stack([widths, widths * _RATIOS[:, None]], axis=-1).reshape(-1, 2) / 2
    rows, columns = (np.arange(-(-side // stride)) for side in (height, width))
    middles = (np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 1, 2) + 0.5) * stride
    return np.concatenate([middles - halves, middles + halves], axis=-1, dtype=np.float32).reshape(
        -1, 4
    )
