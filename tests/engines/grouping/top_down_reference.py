"""Heatmaps to keypoints one at a time, as HRNet's and DARK's own code goes about it.

For tests and the benchmark: leoxiaobin/deep-high-resolution-net.pytorch, `get_final_preds`;
ilovepose/DarkPose, the same function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from engines.people import Floats

_KERNEL = 11


def decode(heatmaps: Floats, dark: bool = False) -> Floats:
    """(N, K, 3) x, y, score of (N, K, h, w) heatmaps, in their pixels."""
    people, parts, _, width = heatmaps.shape
    keypoints = np.zeros((people, parts, 3), np.float32)
    for person in range(people):
        for part in range(parts):
            heat = heatmaps[person, part]
            row, column = divmod(int(heat.argmax()), width)
            keypoints[person, part, 2] = heat[row, column]
            if heat[row, column] > 0:
                move = taylor(blur(heat), column, row) if dark else quarter(heat, column, row)
                keypoints[person, part, :2] = column + move[0], row + move[1]
    return keypoints


def average_flipped(
    heatmaps: Floats, flipped: Floats, flip_pairs: Sequence[tuple[int, int]]
) -> Floats:
    """The mean with what the mirrored crops gave, one pixel further right."""
    back = flipped[:, :, :, ::-1].copy()
    for one, other in flip_pairs:
        kept = back[:, one].copy()
        back[:, one] = back[:, other]
        back[:, other] = kept
    back[:, :, :, 1:] = back.copy()[:, :, :, :-1]
    return np.asarray((heatmaps + back) * 0.5, np.float32)


def quarter(heat: Floats, x: int, y: int) -> tuple[float, float]:
    height, width = heat.shape
    if not (1 < x < width - 1 and 1 < y < height - 1):
        return 0, 0
    across, down = heat[y, x + 1] - heat[y, x - 1], heat[y + 1, x] - heat[y - 1, x]
    return 0.25 * float(np.sign(across)), 0.25 * float(np.sign(down))


def blur(heat: Floats) -> np.ndarray:
    """Blurred with nothing outside, then as high as before."""
    around = np.pad(heat.astype(np.float64), _KERNEL // 2)
    blurred = np.asarray(cv2.GaussianBlur(around, (_KERNEL, _KERNEL), 0))
    inside = blurred[_KERNEL // 2 : -(_KERNEL // 2), _KERNEL // 2 : -(_KERNEL // 2)]
    return np.asarray(inside * (heat.max() / inside.max()))


def taylor(blurred: np.ndarray, x: int, y: int) -> tuple[float, float]:
    height, width = blurred.shape
    if not (1 < x < width - 2 and 1 < y < height - 2):
        return 0, 0

    def log(right: int, down: int) -> float:
        return math.log(max(blurred[y + down, x + right], 1e-10))

    slope = np.array([log(1, 0) - log(-1, 0), log(0, 1) - log(0, -1)]) / 2
    bend_x = (log(2, 0) - 2 * log(0, 0) + log(-2, 0)) / 4
    bend_y = (log(0, 2) - 2 * log(0, 0) + log(0, -2)) / 4
    twist = (log(1, 1) - log(-1, 1) - log(1, -1) + log(-1, -1)) / 4
    bend = np.array([[bend_x, twist], [twist, bend_y]])
    if np.linalg.det(bend) == 0:
        return 0, 0
    move = -np.linalg.solve(bend, slope)
    return float(move[0]), float(move[1])
