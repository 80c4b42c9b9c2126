"""Kept pictures as a network takes them, each time a little different."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engines.skeletons import Skeleton
from training.config import STRIDE, Training
from training.crops import cropped, patched, rectangle
from training.halves import tiled
from training.kept import Bytes, Kept, decoded
from training.network import MEAN, SCALE
from training.teacher import mirrored_channels

_FULL = 0.4  # the mean over keypoints of the highest value, from which a picture is full of them
_BLOCK = 512  # pictures that are looked at together


class Batch(NamedTuple):
    """Pictures (N, 3, H, W) for the network; maps (N, C, h, w), and 1 where they count."""

    images: Tensor
    maps: Tensor
    counts: Tensor


@dataclass(frozen=True, slots=True)
class Part:
    """Which of a batch's pictures this process has: one in `of`, beginning with number `rank`."""

    rank: int = 0
    of: int = 1


class Batches:
    """The batches of a run, each decided by the seed and its step alone.

    Every picture comes at most once an epoch, in another order each time; those in which little is
    asked for, as their people are hidden from a teacher, come less often. What is done to a
    picture keeps its maps valid: it is seen in one of several ways, cropped by whole cells,
    mirrored, made brighter or of more contrast in each channel, and a piece of it may be that of
    another picture or grey.
    """

    def __init__(
        self,
        kept: Kept,
        chosen: Training,
        skeleton: Skeleton,
        seed: int,
        *,
        part: Part | None = None,
        device: torch.device | None = None,
    ) -> None:
        if chosen.halved and kept.half is None:
            raise ValueError(
                "training.halved needs kept pictures that are there at half their size"
            )
        self._kept, self._chosen, self._seed = kept, chosen, seed
        self._part, self._device = part or Part(), device or torch.device("cpu")
        channels, signs = mirrored_channels(skeleton)
        self._channels, self._signs = torch.from_numpy(channels), torch.from_numpy(signs)
        self._worth = _worth(kept, len(skeleton.keypoints), chosen.empty)
        self._steps = max(1, int(self._worth.sum() / chosen.batch))  # of an epoch
        self._epoch, self._order = -1, np.empty(0, np.intp)
        if kept.learned < chosen.batch:
            raise ValueError(
                f"{kept.learned} pictures do not fill a batch of {chosen.batch}: keep more of them"
            )

    def whole(self) -> Batches:
        """The same with all of every batch, whichever part of it this process has."""
        same = copy.copy(self)
        same._part = Part()
        return same

    def since(self, step: int) -> Iterator[Batch]:
        """The batches from a step on; the next is read while one is used."""
        with ThreadPoolExecutor(1) as reader:
            waiting = reader.submit(self._read, step)
            while True:
                read, step = waiting.result(), step + 1
                waiting = reader.submit(self._read, step)
                yield self._prepared(*read)

    def _read(self, step: int) -> tuple[Bytes, Bytes, np.random.Generator]:
        epoch, at = divmod(step, self._steps)
        if epoch != self._epoch:
            rng = np.random.default_rng((self._seed, epoch))
            order = rng.permutation(self._kept.learned)
            # As often as they are worth it, and as many as that is together.
            passed = np.floor(np.cumsum(self._worth[order]) + rng.random())
            self._epoch, self._order = epoch, order[np.diff(passed, prepend=0) > 0]
        first = at * self._chosen.batch
        numbers = self._order[first : first + self._chosen.batch]
        rng = np.random.default_rng((self._seed, epoch, step))
        kept, side = self._view(rng)
        crops = [cropped(kept, number, side, rng) for number in numbers]
        pieces = [rectangle(side // STRIDE, rng, self._chosen.patch) for _ in numbers]
        patches = zip(crops, [*crops[1:], crops[0]], pieces, strict=True)
        share = list(patches)[self._part.rank :: self._part.of]
        pictures, maps = zip(*(patched(*patch) for patch in share), strict=True)
        return np.stack(pictures), np.stack(maps), rng

    def _view(self, rng: np.random.Generator) -> tuple[Kept, int]:
        """What a batch's pictures are cropped of, and the side of a crop."""
        kept, side, chance = self._kept, self._chosen.crop, rng.random()
        if kept.half is not None and chance < self._chosen.halved:
            return kept.half, side // 2
        return kept, side // 2 if chance >= 1 - self._chosen.close else side

    def _prepared(self, pictures: Bytes, kept: Bytes, rng: np.random.Generator) -> Batch:
        """Chance is drawn for the whole batch, so that parts of it are the same on any number of
        devices.
        """
        chosen, share = self._chosen, np.s_[self._part.rank :: self._part.of]
        mirrored = rng.random(chosen.batch) < chosen.flip
        gain = rng.uniform(1 - chosen.contrast, 1 + chosen.contrast, (chosen.batch, 3, 1, 1))
        shift = rng.uniform(-chosen.brightness, chosen.brightness, (chosen.batch, 3, 1, 1))
        grey = [self._piece(pictures.shape[1], rng) for _ in range(chosen.batch)]
        images = _planes(pictures, self._device).float().sub_(MEAN).div_(SCALE)
        images.mul_(self._floats(gain[share])).add_(self._floats(shift[share]))
        for image, piece in zip(images, grey[share], strict=True):
            image[piece] = 0
        maps = _planes(kept, self._device)
        turn = torch.from_numpy(mirrored[share]).to(self._device)
        if turn.any():
            images[turn] = images[turn].flip(3)
            maps[turn] = maps[turn].flip(3)[:, self._channels]
        counts = (maps > 0).float()
        asked = decoded(maps.float())
        signs = torch.where(turn[:, None], self._signs.to(self._device), 1.0)
        batch = Batch(images, asked * signs[:, :, None, None], counts)
        if pictures.shape[1] < chosen.crop:
            return Batch(*map(tiled, batch))
        return batch

    def _piece(self, side: int, rng: np.random.Generator) -> tuple[slice, slice, slice]:
        """A box of an eighth to a third of a picture's sides, or of nothing."""
        height, width = rng.integers(side // 8, side // 3, 2, endpoint=True).tolist()
        top, left = rng.integers(0, side - max(height, width), 2, endpoint=True).tolist()
        if rng.random() >= self._chosen.erase:
            height = 0
        return np.s_[:, top : top + height, left : left + width]

    def _floats(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self._device)


def _worth(kept: Kept, keypoints: int, empty: float) -> npt.NDArray[np.float64]:
    """Of every picture that is learned from, from `empty` to 1 by the peaks that are asked for."""
    peaks = np.zeros(kept.learned)
    for first in range(0, kept.learned if empty < 1 else 0, _BLOCK):
        maps = kept.maps[first : min(first + _BLOCK, kept.learned), :, :, :keypoints]
        peaks[first : first + _BLOCK] = decoded(maps.max(axis=(1, 2)).astype(np.float32)).mean(1)
    return empty + (1 - empty) * np.clip(peaks / _FULL, 0, 1)


def plain(pictures: Bytes, kept: Bytes, device: torch.device) -> Batch:
    """Kept pictures and maps as they are."""
    maps = _planes(kept, device)
    images = _planes(pictures, device).float().sub_(MEAN).div_(SCALE)
    return Batch(images, decoded(maps.float()), (maps > 0).float())


def _planes(kept: Bytes, device: torch.device) -> Tensor:
    """(N, H, W, C) as (N, C, H, W), which lies in memory as before: channels last."""
    return torch.from_numpy(np.array(kept)).to(device).permute(0, 3, 1, 2)
