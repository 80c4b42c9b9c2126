"""A student is the network of the engines, narrower, at a beginning from which it learns."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.skeletons import OPENPOSE_18
from training.config import Student
from training.network import Stages, student


def test_a_narrower_student_has_the_keys_of_the_network_with_fewer_channels() -> None:
    whole = LightweightOpenPose().state_dict()
    narrow = LightweightOpenPose(width=0.5).state_dict()

    assert list(narrow) == list(whole)
    assert narrow["model.11.3.weight"].shape == (256, 256, 1, 1)
    assert narrow["initial_stage.heatmaps.1.0.weight"].shape == (19, 256, 1, 1)


def test_channels_are_multiples_of_eight() -> None:
    network = LightweightOpenPose(width=0.3)
    inner = {m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)}
    assert all(channels % 8 == 0 for channels in inner - {19, 38})


@pytest.mark.parametrize(("width", "blocks"), [(0.0, 3), (1.1, 3), (0.5, 0)])
def test_widths_and_blocks_that_make_no_network_are_refused(width: float, blocks: int) -> None:
    with pytest.raises(ValueError, match="choose a width above 0"):
        LightweightOpenPose(width=width, blocks=blocks)


def test_every_stage_gives_its_maps_in_one_tensor() -> None:
    network = student(Student(refinement_stages=2, width=0.25, blocks=1), OPENPOSE_18).eval()
    image = torch.rand(2, 3, 32, 48)

    with torch.inference_mode():
        stages = Stages(network)(image)
        last = network(image)

    assert [tuple(maps.shape) for maps in stages] == [(2, 57, 4, 6)] * 3
    assert torch.equal(stages[-1], torch.cat(last, dim=1))


def test_a_student_begins_near_zero_with_features_that_have_not_faded() -> None:
    torch.manual_seed(0)
    network = student(Student(), OPENPOSE_18)
    image = torch.rand(4, 3, 64, 64) - 0.5

    with torch.inference_mode():
        features = network.cpm(network.model(image))
        stages = Stages(network)(image)

    assert 0.1 < features.std() < 10
    assert all(maps.abs().mean() < 0.5 for maps in stages)
