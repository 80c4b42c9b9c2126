"""Kept pictures at half their size."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from torch import Tensor

from training.data.targets import TargetRule
from training.kept import Bytes, Kept, decoded, encoded
from training.teacher import reduced, strongest, widened

Told = Callable[[int, int], None]  # pictures done, pictures in all

_PICTURES, _MAPS = "pictures.npy", "maps.npy"  # as in the folder of the kept ones
_RULE = TargetRule()
_BLOCK = 64  # pictures that are made at once


def halve(kept: Kept, keypoints: int, folder: Path, told: Told) -> None:
    """Makes a folder of the kept pictures at half their size, whole or not at all.

    Args:
        keypoints: how many heatmaps there are before the background's.
        told: how far it is.
    """
    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    count, cells, _, channels = kept.maps.shape
    side = kept.pictures.shape[1] // 2
    pictures = open_memmap(new / _PICTURES, "w+", np.uint8, (count, side, side, 3))
    maps = open_memmap(new / _MAPS, "w+", np.uint8, (count, cells // 2, cells // 2, channels))
    for first in range(0, count, _BLOCK):
        some = slice(first, first + _BLOCK)
        pictures[some], maps[some] = halved(kept.pictures[some], kept.maps[some], keypoints)
        told(min(first + _BLOCK, count), count)
    for array in (pictures, maps):
        array.flush()
    os.replace(new, folder)


def halves(kept: Kept, folder: Path) -> Kept:
    """What `halve` made of them.

    Raises:
        OSError: nothing is there to read.
    """
    pictures, maps = (np.load(folder / name, mmap_mode="r") for name in (_PICTURES, _MAPS))
    return Kept(pictures, maps, kept.learned)


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
