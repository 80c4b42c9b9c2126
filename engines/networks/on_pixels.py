"""Networks that take pixels as they come out of an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class OnPixels(nn.Module):
    """A network that takes (N, H, W, 3) uint8 BGR.

    Pixels are normalised in float32, whatever type the network has.

    Args:
        network: takes one (N, 3, H, W) tensor, gives one or a tuple of them.
        mean, scale: for each of the three channels, in the order the network takes them and
            in units of a pixel's 0 to 255.
        rgb: whether the network takes RGB.
        dtype: that the network takes.
    """

    order: Tensor | None
    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float],
        scale: Sequence[float],
        rgb: bool,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype
        self.register_buffer("order", torch.tensor([2, 1, 0]) if rgb else None)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        pixels = image.to(torch.float32).permute(0, 3, 1, 2)  # TensorRT does not transpose uint8
        if self.order is not None:
            pixels = pixels.index_select(1, self.order)
        made = self.network(((pixels - self.mean) / self.scale).to(self.dtype))
        return (made,) if isinstance(made, Tensor) else tuple(made)
