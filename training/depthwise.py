"""Depth-wise convolutions that processors learn fast with.

PyTorch 2.13 gives the gradients of plain depth-wise convolutions in bfloat16 to kernels made for
them, but not those of strided or dilated ones: the three of a MobileNet took a fifth of a
step's time (`python -m tests.benchmarks.training`). What these compute is the same.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def quicken(network: nn.Module) -> None:
    """Puts the convolutions of this file in place of the slow ones, with their weights."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and 1 < child.groups == child.in_channels:
                if child.stride != (1, 1):
                    setattr(module, name, _like(Exact, child))
                elif child.dilation == (2, 2) == child.padding:
                    setattr(module, name, _like(Apart, child))


class Exact(nn.Conv2d):
    """Computes in float32, whatever is given."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            made: Tensor = super().forward(x.float())
        return made.to(x.dtype)


class Apart(nn.Conv2d):
    """A 3x3 convolution with a dilation of 2, of every second row and column by themselves, which
    for them is a plain one.
    """

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        if h % 2 or w % 2:
            odd: Tensor = super().forward(x)
            return odd
        apart = x.permute(0, 2, 3, 1).reshape(n, h // 2, 2, w // 2, 2, c).permute(2, 4, 0, 1, 3, 5)
        several = apart.reshape(4 * n, h // 2, w // 2, c).permute(0, 3, 1, 2)
        made = nn.functional.conv2d(several, self.weight, self.bias, padding=1, groups=self.groups)
        phases = made.permute(0, 2, 3, 1).reshape(2, 2, n, h // 2, w // 2, c)
        return phases.permute(2, 3, 0, 4, 1, 5).reshape(n, h, w, c).permute(0, 3, 1, 2)


def _like(kind: type[nn.Conv2d], conv: nn.Conv2d) -> nn.Conv2d:
    """One of that kind with the parameters of a convolution."""
    kernel = conv.kernel_size[0], conv.kernel_size[1]
    made = kind(
        conv.in_channels,
        conv.out_channels,
        kernel,
        stride=(conv.stride[0], conv.stride[1]),
        padding=conv.padding
        if isinstance(conv.padding, str)
        else (conv.padding[0], conv.padding[1]),
        dilation=(conv.dilation[0], conv.dilation[1]),
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    made.weight, made.bias = conv.weight, conv.bias
    return made
