"""Normalisations folded into convolutions."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_MADE_BY = "made_by"  # what a convolution's output is marked with


def fold(network: nn.Module, example: Tensor) -> None:
    """Make each `BatchNorm2d` part of the `Conv2d` whose output it takes, in place.

    The network, in evaluation mode, gives what it gave. Which module follows which is seen by
    running it on `example`.
    """
    calls: Counter[nn.Module] = Counter()
    pairs: dict[nn.Conv2d, nn.BatchNorm2d] = {}

    def mark(conv: nn.Conv2d, _: Any, output: Tensor) -> None:
        calls[conv] += 1
        setattr(output, _MADE_BY, conv)

    def look(norm: nn.BatchNorm2d, arguments: tuple[Tensor]) -> None:
        calls[norm] += 1
        if conv := getattr(arguments[0], _MADE_BY, None):
            pairs[conv] = norm

    hooks = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(mark))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(look))
    with torch.inference_mode():
        network(example)
    for hook in hooks:
        hook.remove()
    names = {module: name for name, module in network.named_modules()}
    for conv, norm in pairs.items():
        if calls[conv] == calls[norm] == 1:
            network.set_submodule(names[conv], fuse_conv_bn_eval(conv, norm))
            network.set_submodule(names[norm], nn.Identity())
