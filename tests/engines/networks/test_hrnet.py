from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch

from engines.networks.hrnet import HRNet
from tests.shared import shared


@pytest.mark.parametrize(
    ("name", "width", "keypoints"),
    [("hrnet-w32", 32, 17), ("hrnet-w48", 48, 17), ("hrnet-w32-mpii", 32, 16)],
)
def test_its_keys_and_shapes_are_those_of_official_checkpoints_in_order(
    name: str, width: int, keypoints: int
) -> None:
    path = shared(f"fixtures/networks/{name}.keys.json")
    official = json.loads(path.read_text(encoding="utf-8"))

    with torch.device("meta"):
        own = HRNet(width, keypoints).state_dict()

    assert [[key, list(value.shape)] for key, value in own.items()] == official


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
