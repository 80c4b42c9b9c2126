from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch

from engines.networks.lightweight_openpose import LightweightOpenPose


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_its_maps_are_an_eighth_of_the_input(stages: int) -> None:
    network = LightweightOpenPose(stages).eval()

    with torch.inference_mode():
        maps = network(torch.zeros(2, 3, 64, 96))

    assert maps.heatmaps.shape == (2, 19, 8, 12)
    assert maps.pafs.shape == (2, 38, 8, 12)


def test_it_gives_the_last_of_its_stages() -> None:
    network = LightweightOpenPose(2).eval()
    image = torch.rand(1, 3, 32, 32)

    with torch.inference_mode():
        stages = network.stages(image)
        last = network(image)

    assert len(stages) == 3
    assert torch.equal(last.heatmaps, stages[-1].heatmaps)
    assert not torch.equal(last.heatmaps, stages[0].heatmaps)


@pytest.mark.parametrize("stages", [0, 4])
def test_it_is_not_built_with_other_than_one_to_three_refinement_stages(stages: int) -> None:
    with pytest.raises(ValueError, match="choose 1, 2 or 3"):
        LightweightOpenPose(stages)
