"""A part affinity network that looks at a picture in several sizes."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from engines.networks.lightweight_openpose import Maps

_STRIDE = 8
_FINEST = 16  # a scale is a fraction with this denominator at most


class MultiScale(nn.Module):
    """The mean of a network's maps of a picture in several sizes, on the cells of its own size.

    As the multi-scale search of OpenPose's authors, but inside the network, so that an engine has
    it: small people are found in larger sizes, large people in smaller ones.

    Args:
        network: gives `Maps`, at an eighth of the size of what it takes.
        scales: sizes beside the picture's own, in sixteenths at the finest; each is rounded up to
            whole cells.
    """

    def __init__(self, network: nn.Module, scales: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        self._scales = [Fraction(scale).limit_denominator(_FINEST) for scale in scales]

    def forward(self, image: Tensor) -> Maps:
        """Of float32 (N, 3, H, W), H and W multiples of 8."""
        cells = image.shape[2] // _STRIDE, image.shape[3] // _STRIDE
        looks = [self._look(image, cells, scale) for scale in self._scales]
        return Maps(*(torch.stack(kind).mean(0) for kind in zip(*looks, strict=True)))

    def _look(self, image: Tensor, cells: tuple[int, int], scale: Fraction) -> list[Tensor]:
        times, of = scale.as_integer_ratio()
        size = [_STRIDE * ((side * times + of - 1) // of) for side in cells]
        return [_resized(maps, cells) for maps in self.network(_resized(image, size))]


def _resized(values: Tensor, size: Sequence[int]) -> Tensor:
    return interpolate(values, tuple(size), mode="bilinear", align_corners=False)
