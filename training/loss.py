"""How far maps are from what they should be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engines.skeletons import Skeleton
from training.config import Loss

# As MSPN and HRNet weigh their keypoints: limbs' ends are harder.
_WEIGHTS = {"elbow": 1.2, "knee": 1.2, "wrist": 1.5, "ankle": 1.5}


class Losses(NamedTuple):
    """Scalars, the mean of a batch."""

    heatmaps: Tensor
    fields: Tensor


class MapLoss(nn.Module):
    """Squared errors of all stages, weighted by channel and by cell.

    Of a picture's cells nineteen in twenty are background, and nearly nothing there is an
    answer that costs little. A cell's error therefore weighs 1 + `foreground` times the size of
    what is asked of it. The two kinds of maps are of one size, up to 1, and are summed as the
    authors of Lightweight OpenPose do it; `fields` multiplies theirs.

    Errors are summed over channels, and divided by all cells rather than by those that count: a
    picture with few of them would weigh as much as one with many, and the parts of a batch on
    several devices would not add up to the whole.

    Args:
        skeleton: of the maps.
        rule: the factors.
    """

    weights: Tensor

    def __init__(self, skeleton: Skeleton, rule: Loss) -> None:
        super().__init__()
        self._heatmaps = len(skeleton.keypoints) + 1
        self._foreground = rule.foreground
        weights = torch.tensor(channel_weights(skeleton, rule)).reshape(-1, 1, 1)
        self.register_buffer("weights", weights)

    def forward(self, stages: Sequence[Tensor], asked: Tensor, counts: Tensor) -> Losses:
        """Of every stage's maps, (N, C, h, w) as those `asked`, where `counts` (0 or 1) says."""
        weight = self.weights * counts * (1 + self._foreground * asked.abs())
        # What is asked of the background is large everywhere, and no foreground.
        background = self._heatmaps - 1
        weight[:, background] = self.weights[background] * counts[:, background]
        errors = torch.stack(
            [((maps.float() - asked) ** 2 * weight).sum((0, 2, 3)) for maps in stages]
        )
        channels = errors.sum(0) / (asked.shape[0] * asked.shape[2] * asked.shape[3])
        heatmaps, fields = channels[: self._heatmaps], channels[self._heatmaps :]
        return Losses(heatmaps.sum(), fields.sum())


def channel_weights(skeleton: Skeleton, rule: Loss) -> list[float]:
    """Of every heatmap, the background, and every field, which weighs as its harder end does."""
    parts = [_weight(name) for name in skeleton.keypoints]
    fields = [0.0] * (2 * len(skeleton.limbs))
    for (first, second), channels in zip(skeleton.limbs, skeleton.fields, strict=True):
        for channel in channels:
            fields[channel] = rule.fields * max(parts[first], parts[second])
    return [*parts, 1.0, *fields]


def _weight(keypoint: str) -> float:
    return next((weight for end, weight in _WEIGHTS.items() if keypoint.endswith(end)), 1.0)
