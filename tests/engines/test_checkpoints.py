from __future__ import annotations

import pickle
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="checkpoints are torch's, which is not installed")

import torch
from torch import Tensor, nn

from engines import checkpoints
from engines.checkpoints import CheckpointError
from engines.networks.lightweight_openpose import LightweightOpenPose


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def same(network: nn.Module, expected: dict[str, Tensor]) -> bool:
    own = network.state_dict()
    return own.keys() == expected.keys() and all(own[k].equal(v) for k, v in expected.items())


def copied(network: nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in network.state_dict().items()}


def saved(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def prefixed(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in state.items()}


@pytest.mark.parametrize("wrapper", [None, "state_dict", "best_state_dict", "model"])
def test_parameters_are_read_plain_or_from_a_training_checkpoint(
    wrapper: str | None, tmp_path: Path
) -> None:
    trained = small().state_dict()
    content = {wrapper: trained, "optimizer": {"lr": 0.1}, "iter": 3} if wrapper else trained
    network = small()

    checkpoints.load(network, saved(content, tmp_path / "a.pth"))

    assert same(network, trained)


def test_the_official_layout_of_lightweight_openpose_loads(tmp_path: Path) -> None:
    trained = LightweightOpenPose().state_dict()
    scheduler = {"milestones": Counter([100, 200]), "gamma": 0.333}
    content = {"state_dict": trained, "scheduler": scheduler, "iter": 370000}
    network = LightweightOpenPose()

    checkpoints.load(network, saved(content, tmp_path / "checkpoint_iter_370000.pth"))

    assert same(network, trained)


@pytest.mark.parametrize("prefix", ["module.", "model.", "module.model."])
def test_the_prefix_of_a_wrapped_network_is_dropped(prefix: str, tmp_path: Path) -> None:
    trained = LightweightOpenPose().state_dict()  # of which some keys begin with model. anyway
    network = LightweightOpenPose()

    checkpoints.load(network, saved(prefixed(prefix, trained), tmp_path / "a.pth"))

    assert same(network, trained)


def test_a_model_that_is_only_a_name_is_passed_over(tmp_path: Path) -> None:
    trained = small().state_dict()
    content = {"model": "pose_hrnet", "best_state_dict": trained}

    assert checkpoints.read(saved(content, tmp_path / "a.pth")).keys() == trained.keys()


def test_a_checkpoint_without_counters_of_batches_loads(tmp_path: Path) -> None:
    trained = {k: v for k, v in small().state_dict().items() if "num_batches" not in k}
    network = small()

    checkpoints.load(network, saved(OrderedDict(trained), tmp_path / "a.pth"))

    assert torch.equal(network.state_dict()["0.weight"], trained["0.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.bias": None}, r"1 missing: 0\.bias"),
        ({"2.weight": torch.ones(1)}, r"1 unexpected: 2\.weight"),
        ({"0.bias": torch.ones(5)}, r"1 of another shape: 0\.bias \(5,\) for \(4,\)"),
        ({"module.0.bias": torch.ones(4)}, r"1 unexpected: module\.0\.bias"),
    ],
)
def test_a_misfit_is_named_and_the_network_stays_as_it_was(
    change: dict[str, Tensor | None], message: str, tmp_path: Path
) -> None:
    content = {k: v for k, v in {**small().state_dict(), **change}.items() if v is not None}
    network = small()
    before = copied(network)

    with pytest.raises(CheckpointError, match=message) as refusal:
        checkpoints.load(network, saved(content, tmp_path / "a.pth"))

    assert "choose the checkpoint" in str(refusal.value)
    assert same(network, before)


def test_every_kind_of_misfit_is_counted_and_the_first_are_named(tmp_path: Path) -> None:
    path = saved(LightweightOpenPose(3).state_dict(), tmp_path / "a.pth")

    with pytest.raises(CheckpointError) as refusal:  # two stages of 5 x 16 + 8 too many
        checkpoints.load(LightweightOpenPose(1), path)

    message = str(refusal.value)
    assert "176 unexpected: refinement_stages.1.trunk.0.initial.0.weight, " in message
    assert "missing" not in message
    assert len(message) < 600


class Intruder:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.victim,))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_checkpoint_is_refused_and_not_run(zipped: bool, tmp_path: Path) -> None:
    path, victim = tmp_path / "a.pth", tmp_path / "ran"
    content = {"state_dict": small().state_dict(), "hook": Intruder(victim)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)

    with pytest.raises(CheckpointError, match="would run code"):
        checkpoints.read(path)

    assert not victim.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_bare_pickle_is_refused_and_not_run(protocol: int, tmp_path: Path) -> None:
    path, victim = tmp_path / "a.pth", tmp_path / "ran"
    path.write_bytes(pickle.dumps(Intruder(victim), protocol))

    with pytest.raises(CheckpointError):
        checkpoints.read(path)

    assert not victim.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_truncated_checkpoint_is_refused(kept: float, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    content = {"weight": torch.ones(10_000)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(CheckpointError, match="truncated or not a torch checkpoint"):
        checkpoints.read(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><title>Sign in</title>", b"PK\x03\x04"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="not a torch checkpoint"):
        checkpoints.read(path)


@pytest.mark.parametrize("content", [{}, [1, 2], {"state_dict": {"a": 1}}, torch.ones(2)])
def test_a_checkpoint_without_parameters_is_refused(content: Any, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no state dict"):
        checkpoints.read(saved(content, tmp_path / "a.pth"))


def test_a_checkpoint_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkpoints.read(tmp_path / "absent.pth")
