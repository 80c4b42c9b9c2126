"""Object keypoint similarity between poses, and non-maximum suppression by it.

https://cocodataset.org/#keypoints-eval, between two predictions as HRNet measures it
(leoxiaobin/deep-high-resolution-net.pytorch, lib/nms/nms.py): every keypoint counts, and the
area is the mean of both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Indices = npt.NDArray[np.intp]


def similarity(
    pose: Floats, area: float, others: Floats, areas: Floats, sigmas: Sequence[float]
) -> Floats:
    """(P,), 0 to 1: of one pose to others.

    Args:
        pose: (K, 2 or more) x, y.
        area: of the person, in square pixels.
        others: (P, K, 2 or more) x, y.
        areas: (P,) theirs.
        sigmas: (K,) of the skeleton.
    """
    squared = ((others[:, :, :2] - pose[:, :2]) ** 2).sum(axis=2, dtype=np.float64)
    variances = (2 * np.asarray(sigmas)) ** 2
    extent = (areas[:, None] + area) / 2 + np.spacing(1)
    return np.asarray(np.exp(-squared / (2 * variances * extent)).mean(axis=1))


def oks_nms(
    keypoints: Floats,
    scores: Floats,
    areas: Floats,
    sigmas: Sequence[float],
    threshold: float = 0.9,
) -> Indices:
    """The poses to keep: greedily the best, without what resembles it by more than `threshold`.

    Args:
        keypoints: (P, K, 2 or more) x, y.
        scores: (P,); of equal ones the first comes first.
        areas: (P,) of the people, in square pixels.
        sigmas: (K,) of the skeleton.
        threshold: largest similarity that two kept poses may have.

    Returns:
        (M,) indices of the poses, best score first.
    """
    waiting = np.argsort(-scores, kind="stable")
    kept = []
    while waiting.size:
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        alike = similarity(keypoints[best], areas[best], keypoints[waiting], areas[waiting], sigmas)
        waiting = waiting[alike <= threshold]
    return np.array(kept, dtype=np.intp)
