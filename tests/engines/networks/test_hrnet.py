from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch

from engines.networks.hrnet import HRNet


def test_its_heatmaps_are_a_quarter_of_the_input() -> None:
    network = HRNet(4, 5).eval()

    with torch.inference_mode():
        maps = network(torch.zeros(2, 3, 64, 96))

    assert maps.heatmaps.shape == (2, 5, 16, 24)


def test_every_branch_of_every_module_reaches_the_heatmaps() -> None:
    network = HRNet(4, 1)

    network(torch.rand(2, 3, 64, 64)).heatmaps.sum().backward()

    unreached = [name for name, value in network.named_parameters() if value.grad is None]
    assert unreached == []
