"""MultiPoseNet: heatmaps and boxes of one trunk, for a Pose Residual Network to join."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from engines.networks.feature_pyramid import WIDTH, FeaturePyramids, enlarge
from engines.networks.prn import PoseResidualNetwork
from engines.networks.resnet import BLOCKS
from engines.networks.retinanet import RetinaNetHead

_ANCHORS = 9  # at each position of a level
_HALF = WIDTH // 2


class Predictions(NamedTuple):
    """What the network says of N pictures; A anchors are those of `engines.grouping.anchors`."""

    heatmaps: Tensor  # (N, 18, H/4, W/4), OpenPose's keypoints, the neck among them
    box_deltas: Tensor  # (N, A, 4)
    box_scores: Tensor  # (N, A, 1) of a person, 0 to 1


class MultiPoseNet(nn.Module):
    """The network of Kocabas et al., "MultiPoseNet: Fast Multi-Person Pose Estimation", 2018.

    Its modules are named and ordered as in LiMeng95/MultiPoseNet.pytorch, whose checkpoints
    fit as they are. They hold the Pose Residual Network too, which `forward` does not run: it
    takes what grouping makes of the predictions, and is a graph of its own, of `self.prn`.

    Args:
        depth: of the ResNet, 50 or 101.
        prn_layers: hidden layers of the Pose Residual Network.
    """

    def __init__(self, depth: int, prn_layers: int = 2) -> None:
        super().__init__()
        if depth not in BLOCKS:
            raise ValueError(f"depth is {depth}; choose {' or '.join(map(str, BLOCKS))}")
        self.fpn = FeaturePyramids(depth)
        # On levels 2 to 5 in training alone.
        self.convfin_k2 = nn.Conv2d(WIDTH, 19, 1)
        self.convfin_k3 = nn.Conv2d(WIDTH, 19, 1)
        self.convfin_k4 = nn.Conv2d(WIDTH, 19, 1)
        self.convfin_k5 = nn.Conv2d(WIDTH, 19, 1)
        # On levels 5 to 2.
        self.convt1 = nn.Conv2d(WIDTH, _HALF, 3, padding=1)
        self.convt2 = nn.Conv2d(WIDTH, _HALF, 3, padding=1)
        self.convt3 = nn.Conv2d(WIDTH, _HALF, 3, padding=1)
        self.convt4 = nn.Conv2d(WIDTH, _HALF, 3, padding=1)
        self.convs1 = nn.Conv2d(_HALF, _HALF, 3, padding=1)
        self.convs2 = nn.Conv2d(_HALF, _HALF, 3, padding=1)
        self.convs3 = nn.Conv2d(_HALF, _HALF, 3, padding=1)
        self.convs4 = nn.Conv2d(_HALF, _HALF, 3, padding=1)
        self.conv2 = nn.Conv2d(4 * _HALF, WIDTH, 3, padding=1)
        self.convfin = nn.Conv2d(WIDTH, 18, 1)
        self.regressionModel = RetinaNetHead(WIDTH, _ANCHORS, 4)
        self.classificationModel = RetinaNetHead(WIDTH, _ANCHORS, 1)
        self.prn = PoseResidualNetwork(prn_layers)

    def forward(self, image: Tensor) -> Predictions:
        """Predictions of float32 (N, 3, H, W) RGB, normalised by ImageNet's mean and deviation.

        H and W are multiples of 32. Pictures of a batch do not depend on each other.
        """
        levels = self.fpn(image)
        return Predictions(
            self._heatmaps(*levels.keypoints),
            self.regressionModel(levels.boxes),
            torch.sigmoid(self.classificationModel(levels.boxes)),
        )

    def _heatmaps(self, p2: Tensor, p3: Tensor, p4: Tensor, p5: Tensor) -> Tensor:
        features = [
            enlarge(self.convs1(self.convt1(p5)), 8),
            enlarge(self.convs2(self.convt2(p4)), 4),
            enlarge(self.convs3(self.convt3(p3)), 2),
            self.convs4(self.convt4(p2)),
        ]
        heatmaps: Tensor = self.convfin(torch.relu(self.conv2(torch.cat(features, dim=1))))
        return heatmaps


def depth(keys: Iterable[str]) -> int:
    """The depth of a checkpoint's ResNet, by its keys; ResNet-50's third stage has six blocks."""
    return 101 if any("fpn.layer3.6." in key for key in keys) else 50
