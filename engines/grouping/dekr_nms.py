"""Of several poses of one person, the one that the heatmaps like best.

The rule is `nms_core` of HRNet/DEKR (lib/core/nms.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]


def keep(poses: Floats, heat: Floats, near: float, shared: int) -> Ints:
    """(m,) indices of the poses to keep, the one with the most heat first.

    Each pose in turn gathers those that have more than `shared` keypoints nearer to its own
    than `near` times its diagonal: as poses differ in size, one can gather another that does
    not gather it. The one with the most heat is kept and the gathering is done with, unless
    that one went with an earlier gathering.

    Args:
        poses: (n, K, 2) x, y.
        heat: (n,) mean heat at each pose's keypoints.
        near: a share of the diagonal of a pose's keypoints.
        shared: a number of keypoints. A pose without size gathers nobody, not even itself.
    """
    kept: list[int] = []
    done = np.zeros(len(poses), np.bool_)
    for pose, gathered in enumerate(_gathered(poses, near, shared)):
        group = np.flatnonzero(gathered)
        if done[pose] or not len(group):
            continue
        best = int(group[heat[group].argmax()])
        if not done[best]:
            kept.append(best)
            done[group] = True
    chosen = np.array(kept, np.intp)
    return chosen[np.argsort(-heat[chosen], kind="stable")]


def _gathered(poses: Floats, near: float, shared: int) -> npt.NDArray[np.bool_]:
    """(n, n) whether the first gathers the second."""
    diagonal = np.hypot(*np.moveaxis(np.ptp(poses, axis=1), -1, 0))
    distance = np.hypot(*np.moveaxis(poses[:, None] - poses[None], -1, 0))
    is_near = distance < near * diagonal[:, None, None]
    gathered: npt.NDArray[np.bool_] = is_near.sum(axis=2) > shared
    return gathered
