from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import nn

from engines.networks.openpose import OpenPose
from engines.networks.openpose_body25 import OpenPoseBody25

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "coco": lambda: OpenPose(19, 38),
    "mpi": lambda: OpenPose(16, 28),
    "body25": OpenPoseBody25,
}


def without_values(name: str) -> nn.Module:
    """A network of shapes alone, which takes no time to fill."""
    with torch.device("meta"):
        return NETWORKS[name]().eval()


@pytest.mark.parametrize(("name", "heatmaps", "pafs"), [("coco", 19, 38), ("body25", 26, 52)])
def test_its_maps_are_an_eighth_of_the_input(name: str, heatmaps: int, pafs: int) -> None:
    maps = without_values(name)(torch.zeros(2, 3, 64, 96, device="meta"))

    assert maps.heatmaps.shape == (2, heatmaps, 8, 12)
    assert maps.pafs.shape == (2, pafs, 8, 12)


def test_it_gives_the_last_of_its_six_stages() -> None:
    network = OpenPose(16, 28).eval()
    image = torch.rand(1, 3, 16, 16)

    with torch.inference_mode():
        stages = network.stages(image)
        last = network(image)

    assert len(stages) == 6
    assert torch.equal(last.heatmaps, stages[-1].heatmaps)
    assert not torch.equal(last.heatmaps, stages[-2].heatmaps)
