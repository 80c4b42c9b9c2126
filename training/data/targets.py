"""What a part affinity network should say of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engines.geometry import Floats
from engines.skeletons import Skeleton
from training.data.fields import part_affinity
from training.data.scene import Bits, Scene, everything

_LEAST = 0.01  # of a peak: lower values are 0, as in the code of Lightweight OpenPose


@dataclass(frozen=True, slots=True)
class TargetRule:
    """Every constant of the targets; the defaults are Lightweight OpenPose's.

    Attributes:
        stride: network-input pixels per cell.
        sigma: of a peak, in network-input pixels.
        band: half the width of a limb's field, in cells.
    """

    stride: int = 8
    sigma: float = 7.0
    band: float = 1.0


class Targets(NamedTuple):
    """Maps of one scene, and where they are known."""

    heatmaps: Floats  # (K + 1, h, w), the background last
    fields: Floats  # (2 * limbs, h, w)
    mask: Floats  # (K + 1 + 2 * limbs, h, w) 0 or 1, heatmaps first


def targets(scene: Scene, skeleton: Skeleton, rule: TargetRule) -> Targets:
    """The maps of a scene whose sides are multiples of the stride.

    The cell in column c is at x = (c + 0.5) * stride as COCO counts, where the grouping of
    `engines` puts a peak found there.

    Raises:
        ValueError: a side is not a multiple of the stride.
    """
    width, height = scene.size
    if width % rule.stride or height % rule.stride:
        raise ValueError(
            f"a scene of {width} x {height} has no whole cells: crop to multiples of {rule.stride}"
        )
    cells = scene.people.copy()
    cells[:, :, :2] = cells[:, :, :2] / rule.stride - 0.5
    shape = height // rule.stride, width // rule.stride
    half = rule.stride // 2
    return Targets(
        gaussians(cells, *shape, rule.sigma / rule.stride),
        part_affinity(cells, skeleton, *shape, rule.band),
        masks(scene.counts[half :: rule.stride, half :: rule.stride], skeleton),
    )


def gaussians(people: Floats, height: int, width: int, sigma: float) -> Floats:
    """(K + 1, height, width): a peak at every keypoint, and the background, where there is none.

    Args:
        people: (P, K, 3) x, y, visibility in cells: a cell's centre is whole.
        height, width: of the maps.
        sigma: of the peaks, in cells. Where people's peaks overlap the higher one counts.
    """
    x = np.arange(width, dtype=np.float32) - people[:, :, :1]
    y = np.arange(height, dtype=np.float32) - people[:, :, 1:2]
    across, down = (np.exp(-(line**2) / np.float32(2 * sigma**2)) for line in (x, y))
    down *= people[:, :, 2:] > 0
    heatmaps = np.zeros((people.shape[1] + 1, height, width), np.float32)
    for column, row in zip(across, down, strict=True):
        np.maximum(heatmaps[:-1], row[:, :, None] * column[:, None, :], out=heatmaps[:-1])
    heatmaps[heatmaps < _LEAST] = 0
    heatmaps[-1] = 1 - heatmaps[:-1].max(axis=0)
    return heatmaps


def masks(counts: Bits, skeleton: Skeleton) -> Floats:
    """(K + 1 + 2 * limbs, h, w): 1 where labels teach a channel, of (h, w) bits as in `Scene`.

    The background is known where all keypoints are, a limb's field where both its ends are.
    """
    keypoints = len(skeleton.keypoints)
    known = (counts >> np.arange(keypoints, dtype=np.int32)[:, None, None]) & 1
    background = (counts & everything(keypoints)) == everything(keypoints)
    limbs = known[np.array(skeleton.limbs, np.intp)].min(axis=1)
    fields = np.empty((2 * len(limbs), *counts.shape), np.float32)
    fields[np.array(skeleton.fields, np.intp)] = limbs[:, None]
    return np.concatenate([known, background[None], fields], dtype=np.float32)
