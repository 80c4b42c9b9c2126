from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import Tensor, nn

from engines.networks.folding import fold


class Network(nn.Module):
    """Normalises one convolution's output, a sum of two, and one convolution's twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 4, 3, groups=1), random_norm(), nn.ReLU())
        self.left, self.right = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.of_sum = random_norm()
        self.shared = nn.Conv2d(4, 4, 1, bias=False)
        self.of_shared = random_norm()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        x = self.of_sum(self.left(x) + self.right(x))
        made: Tensor = self.of_shared(self.shared(x)) + self.shared(x + 1)
        return made


def random_norm() -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(4)
    for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert value is not None
        nn.init.uniform_(value, 0.5, 1.5)
    return norm


def test_a_network_gives_the_same_with_fewer_normalisations() -> None:
    network, image = Network().eval(), torch.rand(2, 3, 6, 7)
    with torch.inference_mode():
        expected = network(image)

    fold(network, torch.zeros(1, 3, 8, 8))

    with torch.inference_mode():
        torch.testing.assert_close(network(image), expected)
    left = [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert left == ["of_sum", "of_shared"]
