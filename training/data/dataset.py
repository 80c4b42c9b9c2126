"""Scenes and targets for PyTorch's data loader."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from engines.skeletons import Skeleton
from training.data.augment.chain import Augmentation
from training.data.sample import Sample
from training.data.targets import TargetRule, targets


class Item(NamedTuple):
    """One scene, or a batch of them with one more dimension in front."""

    pixels: Tensor  # (3, H, W) uint8 BGR
    heatmaps: Tensor  # (K + 1, h, w) float32, the background last
    fields: Tensor  # (2 * limbs, h, w) float32
    mask: Tensor  # (K + 1 + 2 * limbs, h, w) float32: 1 where labels teach, heatmaps first


class SceneDataset(Dataset[Item]):
    """Augmented scenes, each decided by seed, epoch and index alone.

    Args:
        samples: the pictures.
        augment: brings all scenes to one size, in multiples of the stride.
        skeleton: of the people.
        rule: of the targets.
        seed: of all chance.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        augment: Augmentation,
        skeleton: Skeleton,
        rule: TargetRule | None = None,
        seed: int = 0,
    ) -> None:
        self._samples, self._augment, self._skeleton = samples, augment, skeleton
        self._rule, self._seed = rule or TargetRule(), seed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    def set_epoch(self, epoch: int) -> None:
        """To be called before the loader is iterated; workers that live on see it too."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Item:
        rng = np.random.default_rng((self._seed, int(self._epoch), index))
        scene = self._augment(self._samples[index].scene(), rng)
        made = targets(scene, self._skeleton, self._rule)
        pixels = np.ascontiguousarray(scene.pixels.transpose(2, 0, 1))
        return Item(torch.from_numpy(pixels), *(torch.from_numpy(array) for array in made))
