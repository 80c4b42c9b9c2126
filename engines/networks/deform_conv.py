"""Deformable convolution, which exporters translate as a whole or take apart into sampling."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_POINTS = 9  # of the kernel, row by row

_NAME = "posewire::deform_conv2d"

torch.library.define(
    _NAME, "(Tensor x, Tensor offsets, Tensor weight, Tensor? bias, int groups) -> Tensor"
)


def deform_conv2d(
    x: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor | None = None, groups: int = 1
) -> Tensor:
    """The 3x3 convolution of Dai et al., "Deformable Convolutional Networks", 2017.

    Of stride 1 and padding 1. A point between pixels is interpolated between four, of which
    those beyond the map are zero.

    Args:
        x: (N, groups * C, H, W).
        offsets: (N, groups * 18, H, W): how many pixels further down, then right, than usual
            each point of the kernel looks, row by row; each group of channels has its own.
        weight: (groups * D, C, 3, 3).
        bias: (groups * D,).

    Returns:
        (N, groups * D, H, W)
    """
    made: Tensor = torch.ops.posewire.deform_conv2d(x, offsets, weight, bias, groups)
    return made


# Composite: gradients and exporters see the parts, unless an exporter translates the whole.
@torch.library.impl(_NAME, "CompositeImplicitAutograd")
def _sample_and_convolve(
    x: Tensor, offsets: Tensor, weight: Tensor, bias: Tensor | None, groups: int
) -> Tensor:
    """One GridSample for all groups and points, then what is left of the convolution.

    Of the ways to say it in plain operators this is OpenVINO's fastest. In place of the matrix
    product, a grouped 1x1 convolution would first have its large input reordered.
    """
    n, _, h, w = x.shape
    apart = x.reshape(n * groups, -1, h, w)
    grid = _grid(offsets.reshape(n * groups, _POINTS, 2, h, w).float())
    sampled = functional.grid_sample(apart.float(), grid, align_corners=False).to(x.dtype)
    made = weight.reshape(groups, -1, weight[0].numel()) @ sampled.reshape(n, groups, -1, h * w)
    made = made.reshape(n, -1, h, w)
    return made if bias is None else made + bias.reshape(-1, 1, 1)


def _grid(offsets: Tensor) -> Tensor:
    """Where to sample, as `grid_sample` counts: (M, 9 * H, W, 2) of offsets (M, 9, 2, H, W)."""
    m, _, _, h, w = offsets.shape
    step = torch.arange(-1, 2, dtype=torch.float32, device=offsets.device)
    rows = torch.arange(h, dtype=torch.float32, device=offsets.device).reshape(h, 1)
    columns = torch.arange(w, dtype=torch.float32, device=offsets.device)
    y = offsets[:, :, 0] + (rows + step.repeat_interleave(3).reshape(_POINTS, 1, 1))
    x = offsets[:, :, 1] + (columns + step.repeat(3).reshape(_POINTS, 1, 1))
    # Stacked before they are interleaved: a Concat of single values is slow.
    grid = torch.stack([(2 * x + 1) / w - 1, (2 * y + 1) / h - 1], dim=2)
    return grid.permute(0, 1, 3, 4, 2).reshape(m, _POINTS * h, w, 2)


OPERATOR = torch.ops.posewire.deform_conv2d.default
"""The whole, for exporters' tables."""
