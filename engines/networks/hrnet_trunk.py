"""What HRNet and DEKR share: branches of falling resolution that run side by side and mix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from engines.networks import resnet

_MODULES = (1, 4, 3)  # in stages 2, 3 and 4, which have as many branches
_BLOCKS = 4  # in each branch of a module


class Trunk(nn.Module):
    """The trunk of Sun et al., "Deep High-Resolution Representation Learning", 2019.

    Its modules are named and ordered as in leoxiaobin/deep-high-resolution-net.pytorch. Networks
    extend it rather than hold it, as the keys of their checkpoints have no prefix.

    Args:
        width: channels of the finest branch; each next one has twice as many.
        branches_out: branches that the last module mixes into, finest first, 1 to 4.
    """

    def __init__(self, width: int, branches_out: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = resnet.stage(64, 64, blocks=4)
        self.transition1 = _Transition([256], widths[:2])
        self.stage2 = _stage(widths[:2], _MODULES[0], 2)
        self.transition2 = _Transition(widths[:2], widths[:3])
        self.stage3 = _stage(widths[:3], _MODULES[1], 3)
        self.transition3 = _Transition(widths[:3], widths)
        self.stage4 = _stage(widths, _MODULES[2], branches_out)

    def branches(self, image: Tensor) -> list[Tensor]:
        """Features of (N, 3, H, W), H and W multiples of 32: of 1/4, 1/8, 1/16, 1/32 the size."""
        stem = torch.relu(self.bn1(self.conv1(image)))
        stem = torch.relu(self.bn2(self.conv2(stem)))
        branches = self.stage2(self.transition1([self.layer1(stem)]))
        branches = self.stage3(self.transition2(branches))
        mixed: list[Tensor] = self.stage4(self.transition3(branches))
        return mixed


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around which the input goes: He et al., 2016."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        features = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(features)) + x)


class _Transition(nn.ModuleList):
    """Takes the branches to new widths and adds one, half as high and wide as the last."""

    def __init__(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        *kept, added = outputs
        layers = [
            nn.Identity() if before == after else norm_relu(before, after, 3)
            for before, after in zip(inputs, kept, strict=True)
        ]
        super().__init__([*layers, nn.Sequential(norm_relu(inputs[-1], added, 3, stride=2))])

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        return [layer(x) for layer, x in zip(self, [*branches, branches[-1]], strict=True)]


class _Module(nn.Module):
    """Runs the branches side by side, then makes each output of all of them."""

    def __init__(self, widths: Sequence[int], outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*(BasicBlock(width) for _ in range(_BLOCKS))) for width in widths
        )
        self.fuse_layers = nn.ModuleList(_Mix(widths, target) for target in range(outputs))

    def forward(self, branches: list[Tensor]) -> list[Tensor]:
        features = [branch(x) for branch, x in zip(self.branches, branches, strict=True)]
        return [mix(features) for mix in self.fuse_layers]


class _Mix(nn.ModuleList):
    """Adds up the branches at the width and size of one of them."""

    def __init__(self, widths: Sequence[int], target: int) -> None:
        super().__init__(_resize(widths, source, target) for source in range(len(widths)))

    def forward(self, branches: list[Tensor]) -> Tensor:
        resized = [layer(x) for layer, x in zip(self, branches, strict=True)]
        return torch.relu(reduce(torch.add, resized))


def norm_relu(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """A convolution that keeps the size or divides it by the stride, normalisation and ReLU."""
    return nn.Sequential(*_norm(inputs, outputs, kernel, stride), nn.ReLU(inplace=True))


def _norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


def _stage(widths: Sequence[int], modules: int, outputs: int) -> nn.Sequential:
    """Modules one after the other, of which the last makes `outputs` branches."""
    inner = (_Module(widths, len(widths)) for _ in range(modules - 1))
    return nn.Sequential(*inner, _Module(widths, outputs))


def _resize(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """From the width and size of one branch to those of another."""
    if source == target:
        return nn.Identity()
    if source > target:
        enlarge = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*_norm(widths[source], widths[target], 1), enlarge)
    halve = (norm_relu(widths[source], widths[source], 3, 2) for _ in range(target - source - 1))
    return nn.Sequential(*halve, _norm(widths[source], widths[target], 3, 2))
