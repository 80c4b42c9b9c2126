"""DEKR: where people are, and from there the offsets of each one's keypoints."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.networks.deform_conv import deform_conv2d
from engines.networks.hrnet_trunk import BasicBlock, Trunk, norm_relu

FEATURES = 15  # channels of each keypoint
_BLOCKS = 2  # adaptive ones, of each keypoint


class Maps(NamedTuple):
    """What the network says of N pictures, at a quarter of their height and width."""

    heatmaps: Tensor  # (N, keypoints + 1, H/4, W/4), the people's centres last
    offsets: Tensor  # (N, 2 * keypoints, H/4, W/4), x and y of the place minus the keypoint's


class Dekr(Trunk):
    """The network of Geng et al., "Bottom-Up Human Pose Estimation Via Disentangled Keypoint
    Regression", 2021.

    Its modules are named and ordered as in HRNet/DEKR, whose checkpoints fit as they are.

    Args:
        width: channels of the finest branch; the published checkpoints have 32 or 48.
        keypoints: 17 for COCO, 14 for CrowdPose.
    """

    def __init__(self, width: int, keypoints: int) -> None:
        super().__init__(width, branches_out=4)
        features = (1 + 2 + 4 + 8) * width
        self.transition_heatmap = norm_relu(features, width, 1)
        self.transition_offset = norm_relu(features, FEATURES * keypoints, 1)
        self.head_heatmap = nn.Sequential(
            nn.Sequential(BasicBlock(width)), nn.Conv2d(width, keypoints + 1, 1)
        )
        self.offset_feature_layers = nn.ModuleList(
            nn.Sequential(*(AdaptiveBlock() for _ in range(_BLOCKS))) for _ in range(keypoints)
        )
        self.offset_final_layer = nn.ModuleList(nn.Conv2d(FEATURES, 2, 1) for _ in range(keypoints))

    def forward(self, image: Tensor) -> Maps:
        """Maps of float32 (N, 3, H, W) RGB, normalised by ImageNet's mean and deviation.

        H and W are multiples of 32.
        """
        features = self.features(image)
        return Maps(self.heatmaps(features), self._offsets(features))

    def features(self, image: Tensor) -> Tensor:
        """All branches at the size of the finest, (N, 15 * width, H/4, W/4)."""
        finest, *others = self.branches(image)
        enlarged = (
            functional.interpolate(x, scale_factor=2**i, mode="bilinear", align_corners=False)
            for i, x in enumerate(others, 1)
        )
        return torch.cat([finest, *enlarged], dim=1)

    def heatmaps(self, features: Tensor) -> Tensor:
        heatmaps: Tensor = self.head_heatmap(self.transition_heatmap(features))
        return heatmaps

    def _offsets(self, features: Tensor) -> Tensor:
        keypoints = self.transition_offset(features).split(FEATURES, dim=1)
        layers = zip(self.offset_feature_layers, self.offset_final_layer, strict=True)
        offsets = [final(adapt(x)) for x, (adapt, final) in zip(keypoints, layers, strict=True)]
        return torch.cat(offsets, dim=1)


class AdaptiveBlock(nn.Module):
    """A 3x3 convolution whose grid each place turns, stretches and moves for itself."""

    regular_matrix: Tensor

    def __init__(self) -> None:
        super().__init__()
        steps = torch.tensor([-1.0, 0.0, 1.0])
        grid = torch.stack([steps.repeat_interleave(3), steps.repeat(3)])  # y and x of 9 points
        self.register_buffer("regular_matrix", grid)
        self.transform_matrix_conv = nn.Conv2d(FEATURES, 4, 3, padding=1)
        self.translation_conv = nn.Conv2d(FEATURES, 2, 3, padding=1)
        self.adapt_conv = nn.Conv2d(FEATURES, FEATURES, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 15, H, W) of the same."""
        n, _, h, w = x.shape
        transform = self.transform_matrix_conv(x).reshape(n, 2, 2, h, w)
        turned = torch.einsum("naihw,ip->npahw", transform, self.regular_matrix)
        moved = turned + self.translation_conv(x).unsqueeze(1)
        offsets = moved - self.regular_matrix.T.reshape(9, 2, 1, 1)
        adapted = deform_conv2d(x, offsets.reshape(n, 18, h, w), self.adapt_conv.weight)
        return torch.relu(self.bn(adapted) + x)
