"""Kept pictures at half their size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from training.data.targets import TargetRule
from training.kept import Bytes, decoded, encoded
from training.teacher import reduced, strongest, widened

_RULE = TargetRule()


def halved(pictures: Bytes, kept: Bytes, keypoints: int) -> tuple[Bytes, Bytes]:
    """Pictures and maps as a student sees them from twice as far: a quarter of the work, with as
    many people.

    Args:
        pictures: (N, S, S, 3), S in multiples of 16.
        kept: (N, S / 8, S / 8, channels) as `training.kept` has them.
        keypoints: how many heatmaps there are before the background's.

    Returns:
        (N, S / 2, S / 2, 3), and (N, S / 16, S / 16, channels), where a cell counts if the four
        that it is made of do. Peaks and bands are as wide in cells, and as high, as before.
    """
    n, height, width, channels = kept.shape
    counts = kept > 0
    maps = np.where(counts, decoded(kept.astype(np.float32)), 0).transpose(0, 3, 1, 2)
    heatmaps = widened(maps[:, :keypoints], 2, _RULE)
    fields = strongest(maps[:, keypoints + 1 :], 2)
    background = 1 - heatmaps.max(axis=1, keepdims=True)
    smaller = np.concatenate([heatmaps, background, fields], axis=1).transpose(0, 2, 3, 1)
    fours = counts.reshape(n, height // 2, 2, width // 2, 2, channels)
    return reduced(pictures, 2), encoded(smaller, np.asarray(fours.all(axis=(2, 4))))


def tiled(values: Tensor) -> Tensor:
    """Four pictures each, or their maps, as one of their size before: (N, C, H, W) as
    (N / 4, C, 2H, 2W), or as they are if N is no multiple of 4.

    Half a picture has an edge near every cell, which pictures that are shown later have not.
    """
    n, channels, height, width = values.shape
    if n % 4:
        return values
    squares = values.reshape(n // 4, 2, 2, channels, height, width).permute(0, 3, 1, 4, 2, 5)
    whole = squares.reshape(n // 4, channels, 2 * height, 2 * width)
    return whole.contiguous(memory_format=torch.channels_last)
