"""Heads of the part affinity systems in torch: peaks, their surroundings, and limbs' scores."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.grouping.fields import FieldRule
from engines.skeletons import Skeleton

MOST = 32  # candidates of each keypoint


class Enlarged(nn.Module):
    """Peaks of heatmaps enlarged by cubic interpolation, with their surroundings.

    Gives places (N, K, MOST) int32 on the enlarged maps, row by row, the highest first; the
    values around them (N, K, MOST, side ** 2), 0 outside; and the fields.

    Args:
        keypoints: of the skeleton; later heatmaps are ignored.
        up: the enlargement.
        reach: pixels of the enlarged map around a peak.
        threshold: the least height of a peak; places of lower ones mean nothing.
    """

    def __init__(self, keypoints: int, up: int, reach: int, threshold: float) -> None:
        super().__init__()
        self.keypoints, self.up, self.reach, self.threshold = keypoints, up, reach, threshold

    def forward(self, heatmaps: Tensor, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        enlarged = functional.interpolate(
            heatmaps[:, : self.keypoints],
            scale_factor=self.up,
            mode="bicubic",
            align_corners=False,
        )
        # As high as its four neighbours; of level ones, and of all eight, NumPy decides.
        beside = functional.max_pool2d(enlarged, (1, 3), 1, (0, 1))
        above = functional.max_pool2d(enlarged, (3, 1), 1, (1, 0))
        is_peak = (enlarged >= torch.maximum(beside, above)) & (enlarged >= self.threshold)
        return *_peaks(enlarged, is_peak, self.reach), fields


class OnMaps(nn.Module):
    """The same of the maps as they are, with all that enlarging their surroundings reads."""

    reach = 3

    def __init__(self, keypoints: int, threshold: float) -> None:
        super().__init__()
        self.keypoints, self.threshold = keypoints, threshold

    def forward(self, heatmaps: Tensor, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = heatmaps[:, : self.keypoints]
        is_peak = (maps >= functional.max_pool2d(maps, 3, 1, 1)) & (maps >= self.threshold)
        return *_peaks(maps, is_peak, self.reach), fields


class Limbs(nn.Module):
    """Peaks, and in place of fields the scores of all their pairs: (N, L, MOST, MOST), 0 for none.

    Lightweight OpenPose's rule; each limb's fields are enlarged where its lines' points are.
    """

    ends: Tensor
    channels: Tensor
    steps: Tensor

    def __init__(self, peaks: Enlarged, skeleton: Skeleton, rule: FieldRule) -> None:
        super().__init__()
        self.peaks = peaks
        self.threshold, self.least = rule.threshold, int(rule.min_ratio * rule.samples)
        self.register_buffer("ends", torch.tensor(skeleton.limbs).T.contiguous())
        self.register_buffer("channels", torch.tensor(skeleton.fields).flatten())
        self.register_buffer("steps", torch.arange(rule.samples) / (rule.samples - 1))

    def forward(self, heatmaps: Tensor, fields: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        place, around, _ = self.peaks(heatmaps, fields)
        height, width = (side * self.peaks.up for side in fields.shape[2:])
        y = over(place, width)
        line_x, x = self._lines((place - y * width).float())
        line_y, y = self._lines(y.float())
        length = (line_x**2 + line_y**2).sqrt() + 1e-6

        grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
        sampled = functional.grid_sample(
            fields[:, self.channels].reshape(-1, 2, *fields.shape[2:]),
            grid.flatten(3, 4).flatten(0, 1),
            mode="bicubic",
            padding_mode="border",
            align_corners=False,
        )
        sampled = sampled.view(-1, self.ends.shape[1], 2, MOST, MOST, len(self.steps))
        along = sampled[:, :, 0] * (line_x / length).unsqueeze(-1)
        along = along + sampled[:, :, 1] * (line_y / length).unsqueeze(-1)
        counts = (along > self.threshold).float()
        total = counts.sum(dim=-1)
        mean = (along * counts).sum(dim=-1) / total.clamp(min=1)
        return place, around, torch.where(total > self.least, mean, 0)

    def _lines(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """(N, L, MOST, MOST) extents of lines between (N, K, MOST) places, and their points."""
        start, end = at[:, self.ends[0]].unsqueeze(3), at[:, self.ends[1]].unsqueeze(2)
        line = end - start
        return line, (line.unsqueeze(-1) * self.steps + start.unsqueeze(-1)).round()


def _peaks(maps: Tensor, is_peak: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The highest peaks' places and surroundings."""
    place = highest(maps, is_peak)
    return place.int(), around(maps, place, reach)


def highest(maps: Tensor, is_peak: Tensor) -> Tensor:
    """(N, K, MOST) places of the highest peaks of (N, K, h, w) maps, row by row."""
    return torch.where(is_peak, maps, 0).flatten(2).topk(MOST, dim=2).indices


def around(maps: Tensor, place: Tensor, reach: int, mode: str = "constant") -> Tensor:
    """(N, K, M, side ** 2) values of (N, K, h, w) maps around (N, K, M) places.

    Outside they are 0, or as `mode` of torch's `pad` says.
    """
    side = 2 * reach + 1
    padded = functional.pad(maps, (reach,) * 4, mode)
    first = place + over(place, maps.shape[3]) * (2 * reach)  # padded rows are longer
    steps = torch.arange(side, device=maps.device)
    offsets = (steps.unsqueeze(1) * padded.shape[3] + steps).flatten()
    cells = (first.unsqueeze(-1) + offsets).flatten(2)
    return padded.flatten(2).gather(2, cells).reshape(*first.shape, side * side)


def over(place: Tensor, width: int) -> Tensor:
    """The row of a place."""
    return torch.div(place, width, rounding_mode="floor")


def names(head: nn.Module) -> Sequence[str]:
    """Of what a head of this file gives."""
    return ["place", "around", "limbs" if isinstance(head, Limbs) else "pafs"]
