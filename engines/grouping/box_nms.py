"""Non-maximum suppression of boxes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]


def nms(boxes: Floats, scores: Floats, threshold: float, plus_one: bool = False) -> Indices:
    """The boxes to keep: greedily the best, without what overlaps it by more than `threshold`.

    Args:
        boxes: (N, 4) x1, y1, x2, y2.
        scores: (N,); of equal ones the first comes first.
        threshold: Largest intersection over union that two kept boxes may have.
        plus_one: Corners are indices of the outermost pixels, so that a box from 3 to 3 is one
            pixel wide, as in the code of Fast R-CNN and its successors.

    Returns:
        (M,) indices into `boxes`, best score first.
    """
    corners = np.asarray(boxes, dtype=np.float64)
    low, high = corners[:, :2], corners[:, 2:] + plus_one
    areas = np.clip(high - low, 0, None).prod(axis=1)
    waiting = np.argsort(-np.asarray(scores), kind="stable")
    kept = []
    while waiting.size:
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        sides = np.minimum(high[best], high[waiting]) - np.maximum(low[best], low[waiting])
        shared = np.clip(sides, 0, None).prod(axis=1)
        # multiplied out, as two boxes without area have no ratio
        waiting = waiting[shared <= threshold * (areas[best] + areas[waiting] - shared)]
    return np.array(kept, dtype=np.intp)
