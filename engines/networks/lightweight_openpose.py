"""Lightweight OpenPose: MobileNet features refined into heatmaps and part affinity fields."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from engines.networks.yolox import YoloX

MOBILENET, YOLOX = "mobilenet", "yolox-nano"
_SEEN = 128  # channels that YOLOX's features have
_FEATURES = 128  # channels between the backbone and the heads
_HIDDEN = 512  # channels of the backbone's end, and of the initial stage's heads
_MULTIPLE = 8  # channels of a narrower network are multiples of it, for its vector registers


class Maps(NamedTuple):
    """What one stage says, at an eighth of the input's height and width."""

    heatmaps: Tensor  # (N, keypoints + 1, H/8, W/8), the background last
    pafs: Tensor  # (N, 2 * limbs, H/8, W/8), x and y of each limb in turn


class LightweightOpenPose(nn.Module):
    """The network of Osokin, "Real-time 2D Multi-Person Pose Estimation on CPU", 2018.

    Its modules are named and ordered as in
    Daniil-Osokin/lightweight-human-pose-estimation.pytorch, whose checkpoints fit as they are.

    Args:
        refinement_stages: stages after the initial one; the published checkpoint has 1.
        heatmaps: keypoints and the background.
        pafs: two channels a limb.
        width: multiplies every inner number of channels; above 0, at most 1. The published
            checkpoint has 1.
        blocks: of a refinement stage, 1 or more; the published checkpoint has 5.
        backbone: what sees the picture. The published one is a `MOBILENET`; with `YOLOX`,
            `width` is that of all else.
    """

    def __init__(
        self,
        refinement_stages: int = 1,
        heatmaps: int = 19,
        pafs: int = 38,
        *,
        width: float = 1.0,
        blocks: int = 5,
        backbone: str = MOBILENET,
    ) -> None:
        super().__init__()
        if not 1 <= refinement_stages <= 3:
            raise ValueError(f"refinement_stages is {refinement_stages}; choose 1, 2 or 3")
        if not 0 < width <= 1 or blocks < 1:
            raise ValueError("choose a width above 0 and at most 1, and 1 block or more")
        features, hidden = _narrowed(_FEATURES, width), _narrowed(_HIDDEN, width)
        published = backbone == MOBILENET
        self.model = _mobilenet(width) if published else YoloX(_SEEN)
        self.cpm = _Cpm(hidden if published else _SEEN, features)
        plain = (_relu(nn.Conv2d(features, features, 3, padding=1)) for _ in range(3))
        self.initial_stage = _Stage(nn.Sequential(*plain), features, hidden, heatmaps, pafs)
        self.refinement_stages = nn.ModuleList(
            _Stage(
                _refinement_trunk(features + heatmaps + pafs, features, blocks),
                *(features, features, heatmaps, pafs),
            )
            for _ in range(refinement_stages)
        )

    def forward(self, image: Tensor) -> Maps:
        """The last stage's maps of float32 (N, 3, H, W) BGR pixels as (x - 128) / 256."""
        return self.stages(image)[-1]

    def stages(self, image: Tensor) -> list[Maps]:
        """Every stage's maps, first to last; a loss in training looks at all of them."""
        features = self.cpm(self.model(image))
        maps = [self.initial_stage(features)]
        for stage in self.refinement_stages:
            maps.append(stage(torch.cat([features, *maps[-1]], dim=1)))
        return maps


class _Cpm(nn.Module):
    """Narrows the features, with a residual of depth-wise separable convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.align = _relu(nn.Conv2d(inputs, outputs, 1))
        self.trunk = nn.Sequential(*(_separable_elu(outputs) for _ in range(3)))
        self.conv = _relu(nn.Conv2d(outputs, outputs, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        aligned = self.align(x)
        features: Tensor = self.conv(aligned + self.trunk(aligned))
        return features


class _Stage(nn.Module):
    """A trunk that gives `features` channels, and two heads of `hidden` channels."""

    def __init__(
        self, trunk: nn.Sequential, features: int, hidden: int, heatmaps: int, pafs: int
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.heatmaps = _head(features, hidden, heatmaps)
        self.pafs = _head(features, hidden, pafs)

    def forward(self, x: Tensor) -> Maps:
        features = self.trunk(x)
        return Maps(self.heatmaps(features), self.pafs(features))


class _Residual(nn.Module):
    """A refinement block: two 3x3 convolutions, one dilated, see as far as one of 7x7."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.initial = _relu(nn.Conv2d(inputs, outputs, 1))
        self.trunk = nn.Sequential(
            _norm_relu(nn.Conv2d(outputs, outputs, 3, padding=1)),
            _norm_relu(nn.Conv2d(outputs, outputs, 3, padding=2, dilation=2)),
        )

    def forward(self, x: Tensor) -> Tensor:
        initial = self.initial(x)
        features: Tensor = initial + self.trunk(initial)
        return features


def _mobilenet(width: float) -> nn.Sequential:
    """MobileNet v1 to conv5_5 at stride 8: conv4_2 keeps the size, conv5_1 dilates instead."""
    c32, c64, c128, c256, c512 = (_narrowed(full, width) for full in (32, 64, 128, 256, _HIDDEN))
    return nn.Sequential(
        _norm_relu(nn.Conv2d(3, c32, 3, stride=2, padding=1, bias=False)),
        _separable(c32, c64),
        _separable(c64, c128, stride=2),
        _separable(c128, c128),
        _separable(c128, c256, stride=2),
        _separable(c256, c256),
        _separable(c256, c512),  # conv4_2
        _separable(c512, c512, dilation=2),  # conv5_1
        *(_separable(c512, c512) for _ in range(4)),
    )


def _narrowed(channels: int, width: float) -> int:
    return max(_MULTIPLE, round(channels * width / _MULTIPLE) * _MULTIPLE)


def _refinement_trunk(inputs: int, features: int, blocks: int) -> nn.Sequential:
    others = (_Residual(features, features) for _ in range(blocks - 1))
    return nn.Sequential(_Residual(inputs, features), *others)


def _head(features: int, hidden: int, outputs: int) -> nn.Sequential:
    last = nn.Sequential(nn.Conv2d(hidden, outputs, 1))  # wrapped, for its key in the checkpoint
    return nn.Sequential(_relu(nn.Conv2d(features, hidden, 1)), last)


def _relu(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, nn.ReLU(inplace=True))


def _norm_relu(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU(inplace=True))


def _separable(inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    depthwise = nn.Conv2d(inputs, inputs, 3, stride, dilation, dilation, inputs, bias=False)
    pointwise = nn.Conv2d(inputs, outputs, 1, bias=False)
    return nn.Sequential(*_norm_relu(depthwise), *_norm_relu(pointwise))


def _separable_elu(width: int) -> nn.Sequential:
    depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)
    pointwise = nn.Conv2d(width, width, 1, bias=False)
    return nn.Sequential(depthwise, nn.ELU(inplace=True), pointwise, nn.ELU(inplace=True))
