"""MultiPoseNet's shared features: a ResNet under two feature pyramids."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.networks.resnet import BLOCKS, stage

WIDTH = 256  # channels of every level


class Pyramids(NamedTuple):
    """Levels of `WIDTH` channels, finest first; level i is 2^i times smaller than the input."""

    keypoints: tuple[Tensor, ...]  # 2 to 5
    boxes: tuple[Tensor, ...]  # 3 to 7


class FeaturePyramids(nn.Module):
    """Lin et al., "Feature Pyramid Networks for Object Detection", 2017, twice on one trunk.

    Its modules are named and ordered as in LiMeng95/MultiPoseNet.pytorch.

    Args:
        depth: of the ResNet, 50 or 101.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        blocks = BLOCKS[depth]
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = stage(64, 64, blocks[0])
        self.layer2 = stage(256, 128, blocks[1], stride=2)
        self.layer3 = stage(512, 256, blocks[2], stride=2)
        self.layer4 = stage(1024, 512, blocks[3], stride=2)
        # The boxes' pyramid.
        self.conv6 = nn.Conv2d(2048, WIDTH, 3, stride=2, padding=1)
        self.conv7 = nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.latlayer1 = nn.Conv2d(2048, WIDTH, 1)
        self.latlayer2 = nn.Conv2d(1024, WIDTH, 1)
        self.latlayer3 = nn.Conv2d(512, WIDTH, 1)
        self.toplayer0 = _smooth()
        self.toplayer1 = _smooth()
        self.toplayer2 = _smooth()
        # The keypoints' pyramid.
        self.toplayer = nn.Conv2d(2048, WIDTH, 1)
        self.flatlayer1 = nn.Conv2d(1024, WIDTH, 1)
        self.flatlayer2 = nn.Conv2d(512, WIDTH, 1)
        self.flatlayer3 = nn.Conv2d(256, WIDTH, 1)
        self.smooth1 = _smooth()
        self.smooth2 = _smooth()
        self.smooth3 = _smooth()

    def forward(self, image: Tensor) -> Pyramids:
        """The levels of (N, 3, H, W), H and W multiples of 32."""
        stem = torch.relu(self.bn1(self.conv1(image)))
        c2 = self.layer1(functional.max_pool2d(stem, 3, stride=2, padding=1))
        c3 = self.layer2(c2)
        c4 = self.layer3(c3)
        c5 = self.layer4(c4)
        return Pyramids(self._keypoints(c2, c3, c4, c5), self._boxes(c3, c4, c5))

    def _keypoints(self, c2: Tensor, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, ...]:
        p5 = self.toplayer(c5)
        p4 = enlarge(p5) + self.flatlayer1(c4)
        p3 = enlarge(p4) + self.flatlayer2(c3)
        p2 = enlarge(p3) + self.flatlayer3(c2)
        return self.smooth3(p2), self.smooth2(p3), self.smooth1(p4), p5

    def _boxes(self, c3: Tensor, c4: Tensor, c5: Tensor) -> tuple[Tensor, ...]:
        p5 = self.latlayer1(c5)
        p4 = enlarge(p5) + self.latlayer2(c4)
        p3 = enlarge(p4) + self.latlayer3(c3)
        p6 = self.conv6(c5)
        p7 = self.conv7(torch.relu(p6))
        return self.toplayer2(p3), self.toplayer1(p4), self.toplayer0(p5), p6, p7


def enlarge(features: Tensor, factor: int = 2) -> Tensor:
    """Each value `factor` times in a row and in a column, as LiMeng95's pyramids have it."""
    return functional.interpolate(features, scale_factor=factor, mode="nearest")


def _smooth() -> nn.Conv2d:
    return nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
