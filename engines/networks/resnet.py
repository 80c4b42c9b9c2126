"""Residual stages of bottleneck blocks, which ResNet-50 and ResNet-101 are made of."""

from __future__ import annotations

import torch
from torch import Tensor, nn

BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Blocks in each of the four stages, by the depth that names the network."""

EXPANSION = 4  # a block's output channels to its width


class Bottleneck(nn.Module):
    """The block of He et al., "Deep Residual Learning for Image Recognition", 2016.

    The stride is that of the 3x3 convolution, as in torchvision, whose names the modules have.

    Args:
        inputs: channels of the input.
        width: channels of the 3x3 convolution; the output has `EXPANSION` times as many.
        stride: of the block.
    """

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * EXPANSION
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = (
            None
            if stride == 1 and inputs == outputs
            else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        features = torch.relu(self.bn1(self.conv1(x)))
        features = torch.relu(self.bn2(self.conv2(features)))
        features = self.bn3(self.conv3(features))
        return torch.relu(features + (x if self.downsample is None else self.downsample(x)))


def stage(inputs: int, width: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """Blocks of one width, the first of which has the stride."""
    rest = (Bottleneck(width * EXPANSION, width) for _ in range(blocks - 1))
    return nn.Sequential(Bottleneck(inputs, width, stride), *rest)
