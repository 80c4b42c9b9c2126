"""YOLOX-Nano's features, brought together at an eighth of the picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

# Channels at a half, a quarter, ... of the picture's sides, and how deep it is looked at there.
_STEM, _WIDTHS, _DEPTHS = 16, (32, 64, 128, 256), (1, 3, 3, 1)
_SEEN = (64, 128, 256)  # channels at an eighth, a sixteenth and a thirty-second


class YoloX(nn.Module):
    """The backbone of YOLOX-Nano and the way back up of its pyramid, without what finds boxes.

    Ge et al., "YOLOX: Exceeding YOLO Series in 2021", 2021. Normalisations are folded into the
    convolutions, as in the published graph, of whose parameters `training.pretrained` makes those
    of this network: its convolutions are listed as they are computed there. Pictures are taken as
    Lightweight OpenPose takes them, BGR as (x - 128) / 256.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        # Published as four pixels brought beside each other, and 3x3 of these.
        self.stem = _conv(3, _STEM, 6, stride=2, padding=2)
        levels, inputs = [], _STEM
        for width, depth in zip(_WIDTHS, _DEPTHS, strict=True):
            last = width == _WIDTHS[-1]
            levels.append(
                nn.Sequential(
                    _separable(inputs, width, stride=2),
                    *([_Pools(width)] if last else []),
                    _Partial(width, width, depth, adds=not last),
                )
            )
            inputs = width
        self.levels = nn.ModuleList(levels)
        self.coarse = _Above(256, 128)
        self.fine = _Above(128, 64)
        self.laterals = nn.ModuleList(nn.Conv2d(seen, channels, 1) for seen in _SEEN)

    def forward(self, image: Tensor) -> Tensor:
        """(N, channels, H/8, W/8) of (N, 3, H, W), H and W multiples of 8.

        As in Lin et al., "Feature Pyramid Networks", 2017, coarser features are added to finer
        ones.
        """
        x, seen = self.stem(image), []
        for level in self.levels:
            x = level(x)
            seen.append(x)
        sixteenth = self.coarse(x, seen[2])
        eighth = self.fine(sixteenth, seen[1])
        finest, middle, features = (
            lateral(level)
            for lateral, level in zip(self.laterals, (eighth, sixteenth, x), strict=True)
        )
        for finer in (middle, finest):
            features = finer + _doubled(features, finer)
        return relu(features)


class _Above(nn.Module):
    """Coarse features narrowed and seen together with finer ones."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.narrowed = _conv(inputs, outputs)
        self.partial = _Partial(2 * outputs, outputs, 1, adds=False)

    def forward(self, coarse: Tensor, finer: Tensor) -> Tensor:
        narrowed = _doubled(self.narrowed(coarse), finer)
        seen: Tensor = self.partial(torch.cat([narrowed, finer], dim=1))
        return seen


class _Partial(nn.Module):
    """Half of the channels go through blocks, and half past them.

    Wang et al., "CSPNet", 2019.
    """

    def __init__(self, inputs: int, outputs: int, blocks: int, *, adds: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.through = _conv(inputs, half)
        self.past = _conv(inputs, half)
        self.blocks = nn.Sequential(*(_Block(half, adds=adds) for _ in range(blocks)))
        self.end = _conv(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.end(torch.cat([self.blocks(self.through(x)), self.past(x)], dim=1))
        return made


class _Block(nn.Module):
    """Mixed, then seen channel by channel and mixed again."""

    def __init__(self, channels: int, *, adds: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_conv(channels, channels), *_separable(channels, channels))
        self._adds = adds

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return x + made if self._adds else made


class _Pools(nn.Module):
    """The highest values around each cell, near and far.

    He et al., "Spatial Pyramid Pooling", 2014, as YOLOv3 has it: neighbourhoods of three sizes.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.before = _conv(channels, half)
        self.pools = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in (5, 9, 13))
        self.after = _conv(half * (1 + len(self.pools)), channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        made: Tensor = self.after(torch.cat([x, *(pool(x) for pool in self.pools)], dim=1))
        return made


def _conv(
    inputs: int,
    outputs: int,
    kernel: int = 1,
    *,
    stride: int = 1,
    padding: int = 0,
    groups: int = 1,
) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)
    return nn.Sequential(conv, nn.SiLU(inplace=True))


def _separable(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    depthwise = _conv(inputs, inputs, 3, stride=stride, padding=1, groups=inputs)
    return nn.Sequential(*depthwise, *_conv(inputs, outputs))


def _doubled(coarse: Tensor, like: Tensor) -> Tensor:
    """Every cell as two by two, as many as a finer level has."""
    large = interpolate(coarse, scale_factor=2, mode="nearest")
    return large[:, :, : like.shape[2], : like.shape[3]]
