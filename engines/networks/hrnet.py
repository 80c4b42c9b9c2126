"""HRNet: one person's keypoints from features that keep a high resolution throughout."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from engines.networks.hrnet_trunk import Trunk


class Maps(NamedTuple):
    """What the network says of N crops, at a quarter of their height and width."""

    heatmaps: Tensor  # (N, keypoints, H/4, W/4)


class HRNet(Trunk):
    """The network of Sun et al., "Deep High-Resolution Representation Learning", 2019.

    Its modules are named and ordered as in leoxiaobin/deep-high-resolution-net.pytorch, whose
    checkpoints fit as they are.

    Args:
        width: channels of the finest branch; the published checkpoints have 32 or 48.
        keypoints: 17 for COCO, 16 for MPII.
    """

    def __init__(self, width: int, keypoints: int) -> None:
        super().__init__(width, branches_out=1)
        self.final_layer = nn.Conv2d(width, keypoints, 1)

    def forward(self, image: Tensor) -> Maps:
        """Heatmaps of float32 (N, 3, H, W) RGB, normalised by ImageNet's mean and deviation.

        H and W are multiples of 32.
        """
        (finest,) = self.branches(image)
        return Maps(self.final_layer(finest))
