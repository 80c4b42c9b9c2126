from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="checkpoints are torch's, which is not installed")

import torch
from torch import Tensor, nn

from engines import checkpoints
from engines.checkpoints import CheckpointError
from engines.networks.lightweight_openpose import LightweightOpenPose
from tests.engines.checkpoints import originals


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def same(network: nn.Module, expected: dict[str, Tensor]) -> bool:
    own = network.state_dict()
    return own.keys() == expected.keys() and all(own[k].equal(v) for k, v in expected.items())


def copied(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


def saved(content: dict[str, Tensor], folder: Path) -> Path:
    path = folder / "a.pth"
    torch.save(content, path)
    return path


def test_a_checkpoint_without_counters_of_batches_loads(folder: Path) -> None:
    trained = {k: v for k, v in small().state_dict().items() if "num_batches" not in k}
    network = small()

    checkpoints.load(network, saved(trained, folder))

    assert torch.equal(network.state_dict()["0.weight"], trained["0.weight"])


def test_parameters_of_half_precision_load(folder: Path) -> None:
    trained = {key: value.half() for key, value in small().state_dict().items()}
    network = small()

    checkpoints.load(network, saved(trained, folder))

    assert network.state_dict()["0.weight"].equal(trained["0.weight"].float())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.bias": None}, r"1 missing: 0\.bias"),
        ({"2.weight": torch.ones(1)}, r"1 unexpected: 2\.weight"),
        ({"0.bias": torch.ones(5)}, r"1 of another shape: 0\.bias \(5,\) for \(4,\)"),
        ({"module.0.bias": torch.ones(4)}, r"1 unexpected: module\.0\.bias"),
        ({"backbone.0.bias": torch.ones(4)}, r"1 unexpected: backbone\.0\.bias"),
    ],
)
def test_a_misfit_is_named_and_the_network_stays_as_it_was(
    change: dict[str, Tensor | None], message: str, folder: Path
) -> None:
    content = {k: v for k, v in {**small().state_dict(), **change}.items() if v is not None}
    network = small()
    before = copied(network)

    with pytest.raises(CheckpointError, match=message) as refusal:
        checkpoints.load(network, saved(content, folder))

    assert "choose the checkpoint" in str(refusal.value)
    assert same(network, before)


def test_every_kind_of_misfit_is_counted_and_the_first_are_named(folder: Path) -> None:
    path = saved(LightweightOpenPose(3).state_dict(), folder)

    with pytest.raises(CheckpointError) as refusal:  # two stages of 5 x 16 + 8 too many
        checkpoints.load(LightweightOpenPose(1), path)

    message = str(refusal.value)
    assert "176 unexpected: refinement_stages.1.trunk.0.initial.0.weight, " in message
    assert "missing" not in message
    assert len(message) < 600


def block(layer: str) -> str:
    """Where pytorch-openpose has a layer of OpenPose: the features in model0, then stages."""
    if layer.startswith("Mconv"):
        stage, branch = layer.split("_stage")[1].split("_L")
        return f"model{stage}_{branch}"
    return f"model1_{layer[-1]}" if layer.startswith("conv5_") else "model0"


def test_openpose_in_the_blocks_of_pytorch_openpose_gives_the_original_outputs(
    folder: Path,
) -> None:
    parameters = originals.parameters("openpose-coco")
    blocks = {f"{block(key.split('.')[0])}.{key}": value for key, value in parameters.items()}
    assert "model0.conv4_4_CPM.bias" in blocks
    assert "model1_2.conv5_5_CPM_L2.weight" in blocks
    assert "model6_1.Mconv7_stage6_L1.weight" in blocks
    network = originals.network("openpose-coco")

    checkpoints.load(network, saved(blocks, folder))

    originals.assert_its_outputs_are_stored(network, "openpose-coco")


def test_blocks_that_repeat_a_layer_are_refused(folder: Path) -> None:
    content = {f"model{stage}.{k}": v for stage in (0, 1) for k, v in small().state_dict().items()}

    with pytest.raises(CheckpointError, match=r"6 missing: 0\.weight.*14 unexpected: model0\.0"):
        checkpoints.load(small(), saved(content, folder))
