"""Heatmaps of one person each to keypoints.

As HRNet does it (leoxiaobin/deep-high-resolution-net.pytorch, `get_final_preds`), or by F. Zhang
et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation" (DARK), 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_BLUR, _BLUR_DEVIATION = 11, 2.0  # OpenCV's deviation for that kernel, which DARK uses
_REACH = 2  # heatmap pixels around the highest that DARK's derivatives read
_LEAST_HEAT = 1e-10  # its logarithm stands for nothing


def decode(heatmaps: Floats, dark: bool = False) -> Floats:
    """The keypoint of each heatmap: its highest pixel, moved to where the peak lies between.

    Args:
        heatmaps: (N, K, h, w) float32.
        dark: moves by DARK instead of a quarter of a pixel towards the higher neighbours.

    Returns:
        (N, K, 3) float32 x, y, score in heatmap pixels, where a pixel's centre is whole, and
        (0, 0) where nothing is above 0.
    """
    people, parts, height, width = heatmaps.shape
    maps = heatmaps.reshape(-1, height, width)
    highest = maps.reshape(-1, height * width).argmax(axis=1)
    y, x = np.divmod(highest, width)
    scores = maps[np.arange(len(maps)), y, x, None]
    move = _dark if dark else _quarter
    places = np.where(scores > 0, np.stack([x, y], axis=1) + move(maps, x, y), 0)
    return np.concatenate([places, scores], axis=1, dtype=np.float32).reshape(people, parts, 3)


def average_flipped(
    heatmaps: Floats, flipped: Floats, mirrored: Sequence[int], shift: bool = True
) -> Floats:
    """The mean of (N, K, h, w) heatmaps and those of the mirrored crops, mirrored back.

    Args:
        heatmaps: of the crops.
        flipped: of the mirrored crops, as the network gave them.
        mirrored: per keypoint, the one that is seen in its place (`Skeleton.mirrored`).
        shift: moves the second by a pixel to the right, HRNet's SHIFT_HEATMAP: a network of
            stride 4 puts a mirrored keypoint about a heatmap pixel to the left.
    """
    _, parts, height, width = heatmaps.shape
    mean = np.empty_like(heatmaps)
    by = int(shift)
    for upright, turned, half in zip(heatmaps, flipped, mean, strict=True):  # fits a cache
        rows = (parts * height, width)
        back = cv2.flip(turned[mirrored].reshape(rows), 1)
        here, half = upright.reshape(rows), half.reshape(rows)  # noqa: PLW2901 - a view
        cv2.addWeighted(here[:, by:], 0.5, back[:, : width - by], 0.5, 0, dst=half[:, by:])
        half[:, :by] = (here[:, :by] + back[:, :by]) / 2
    return mean


def _quarter(maps: Floats, x: Ints, y: Ints) -> Floats:
    """(M, 2): a quarter of a pixel, except at the border, whose width is the authors'."""
    _, height, width = maps.shape
    inner = np.flatnonzero((x > 1) & (x < width - 1) & (y > 1) & (y < height - 1))
    x, y = x[inner], y[inner]
    slope_x = maps[inner, y, x + 1] - maps[inner, y, x - 1]
    slope_y = maps[inner, y + 1, x] - maps[inner, y - 1, x]
    moves = np.zeros((len(maps), 2), np.float32)
    moves[inner] = np.sign(np.stack([slope_x, slope_y], axis=1)) / 4
    return moves


def _dark(maps: Floats, x: Ints, y: Ints) -> Floats:
    """(M, 2): to the top of the Gaussian through the blurred map around its highest pixel.

    Departs from the authors' code in two ways. Only the pixels that the derivatives read are
    blurred, and not scaled to the map's height afterwards, which a logarithm's derivatives do
    not see. And a move ends where those pixels do: a flat map would send a keypoint anywhere.
    """
    _, height, width = maps.shape
    inner = np.flatnonzero((x > 1) & (x < width - 2) & (y > 1) & (y < height - 2))
    logs = np.log(np.maximum(_blurred_around(maps, inner, x[inner], y[inner]), _LEAST_HEAT))
    here, near, far = logs[:, 2, 2], slice(1, 4, 2), slice(0, 5, 4)
    before, after = logs[:, 2, near].T
    above, below = logs[:, near, 2].T
    slope = np.stack([after - before, below - above]) / 2
    bend_x = (logs[:, 2, far].sum(axis=1) - 2 * here) / 4
    bend_y = (logs[:, far, 2].sum(axis=1) - 2 * here) / 4
    twist = (logs[:, 1, 1] + logs[:, 3, 3] - logs[:, 1, 3] - logs[:, 3, 1]) / 4
    determinant = bend_x * bend_y - twist**2
    solvable = determinant != 0
    cofactors = np.stack(
        [twist * slope[1] - bend_y * slope[0], twist * slope[0] - bend_x * slope[1]]
    )
    moved = np.divide(cofactors, determinant, out=np.zeros_like(cofactors), where=solvable)
    moves = np.zeros((len(maps), 2), np.float32)
    moves[inner] = moved.clip(-_REACH, _REACH).T
    return moves


def _blurred_around(maps: Floats, which: Ints, x: Ints, y: Ints) -> Floats:
    """(m, 5, 5) of the maps `which`, blurred with 0 outside: the surroundings of x, y."""
    _, height, width = maps.shape
    reach = np.arange(-(_REACH + _BLUR // 2), _REACH + _BLUR // 2 + 1)
    rows, columns = y[:, None] + reach, x[:, None] + reach
    patches = maps[
        which[:, None, None],
        rows.clip(0, height - 1)[:, :, None],
        columns.clip(0, width - 1)[:, None, :],
    ]
    patches *= ((rows >= 0) & (rows < height))[:, :, None]
    patches *= ((columns >= 0) & (columns < width))[:, None, :]
    weights = _blur_weights()
    return np.asarray(weights @ patches @ weights.T)


@cache
def _blur_weights() -> Floats:
    """(5, 15): from a line of pixels to its five in the middle, blurred."""
    distance = np.arange(_BLUR) - _BLUR // 2
    kernel = np.exp(-(distance**2) / (2 * _BLUR_DEVIATION**2))
    weights = np.zeros((2 * _REACH + 1, 2 * _REACH + _BLUR), np.float32)
    for line, row in enumerate(weights):
        row[line : line + _BLUR] = kernel / kernel.sum()
    return weights
