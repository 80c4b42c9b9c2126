from __future__ import annotations

import pickle
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="checkpoints are torch's, which is not installed")

import torch
from torch import Tensor

from engines import checkpoints
from engines.checkpoints import CheckpointError
from tests.engines.checkpoints import originals

NAME = "lightweight-openpose-1stage"
WRAPPERS = ["state_dict", "best_state_dict", "ema", "model"]
PREFIXES = ["module.", "model.", "module.model."]
PARAMETERS = {"0.weight": torch.ones(2, 3), "0.bias": torch.zeros(2)}


def saved(content: Any, folder: Path) -> Path:
    path = folder / "a.pth"
    torch.save(content, path)
    return path


def prefixed(prefix: str, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in parameters.items()}


@pytest.mark.parametrize(
    ("wrapper", "prefix"),
    [
        (None, ""),
        *((wrapper, "") for wrapper in WRAPPERS),
        *((None, prefix) for prefix in PREFIXES),
        ("state_dict", "module."),
    ],
)
def test_a_network_gives_the_original_outputs(
    wrapper: str | None, prefix: str, folder: Path
) -> None:
    parameters = prefixed(prefix, originals.parameters(NAME))
    scheduler = {"milestones": Counter([100, 200]), "gamma": 0.333}
    training = {wrapper: parameters, "scheduler": scheduler, "iter": 370000}
    network = originals.network(NAME)

    checkpoints.load(network, saved(training if wrapper else parameters, folder))

    originals.assert_its_outputs_are_stored(network, NAME)


def test_of_several_parameters_the_average_goes_before_the_last(folder: Path) -> None:
    content = {"model": {"weight": torch.zeros(2)}, "ema": {"weight": torch.ones(2)}}

    assert checkpoints.read(saved(content, folder))["weight"].tolist() == [1, 1]


def test_a_model_that_is_only_a_name_is_passed_over(folder: Path) -> None:
    content = {"model": "pose_hrnet", "best_state_dict": PARAMETERS}

    assert checkpoints.read(saved(content, folder)).keys() == PARAMETERS.keys()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    "beside",
    [
        np.float64(0.744),  # the accuracy in HRNet's checkpoint.pth
        np.int64(210),
        np.array([0.026, 0.025]),  # the sigmas in MMPose's
        {"flip": [np.arange(17, dtype=np.int32)], "names": np.array(["nose", "left_eye"])},
    ],
)
def test_what_numpy_left_beside_the_parameters_is_passed_over(
    beside: Any, zipped: bool, folder: Path
) -> None:
    path = folder / "checkpoint.pth"
    content = {"perf": beside, "state_dict": PARAMETERS, "epoch": 210}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)

    read = checkpoints.read(path)

    assert read.keys() == PARAMETERS.keys()
    assert all(read[key].equal(value) for key, value in PARAMETERS.items())


def test_numpy_of_before_2_is_passed_over_too(folder: Path) -> None:
    content = {"perf": np.float64(0.744), "weight": PARAMETERS}
    path = folder / "a.pth"
    torch.save({"model": PARAMETERS, **content}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes().replace(b"numpy._core.multi", b"numpy.core.multi"))

    assert checkpoints.read(path).keys() == PARAMETERS.keys()


def test_the_history_in_a_training_checkpoint_of_mmpose_is_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class HistoryBuffer:
        def __init__(self) -> None:
            self.max_length, self._log_history = 1_000_000, np.array([0.1, 0.2])

    for name in ("mmengine", "mmengine.logging", "mmengine.logging.history_buffer"):
        monkeypatch.setitem(sys.modules, name, module := ModuleType(name))
    HistoryBuffer.__module__, HistoryBuffer.__qualname__ = module.__name__, "HistoryBuffer"
    monkeypatch.setattr(module, "HistoryBuffer", HistoryBuffer, raising=False)
    message_hub = {"log_scalars": {"train/loss": HistoryBuffer()}}

    read = checkpoints.read(saved({"message_hub": message_hub, "state_dict": PARAMETERS}, folder))

    assert read.keys() == PARAMETERS.keys()


class Call:
    """Pickled, what is to be called when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


def test_numpy_is_not_called_with_what_a_file_says(folder: Path) -> None:
    content = {"perf": Call(np.dtype, "no such type"), "state_dict": PARAMETERS}

    assert checkpoints.read(saved(content, folder)).keys() == PARAMETERS.keys()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("hidden", [lambda code: code, lambda code: np.array([code, None])])
def test_code_in_a_checkpoint_is_refused_and_not_run(
    hidden: Any, zipped: bool, folder: Path
) -> None:
    path, victim = folder / "a.pth", folder / "ran"
    content = {"state_dict": PARAMETERS, "hook": hidden(Call(Path.touch, victim))}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)

    with pytest.raises(CheckpointError, match="would run code"):
        checkpoints.read(path)

    assert not victim.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_code_in_a_bare_pickle_is_refused_and_not_run(protocol: int, folder: Path) -> None:
    path, victim = folder / "a.pth", folder / "ran"
    path.write_bytes(pickle.dumps(Call(Path.touch, victim), protocol))

    with pytest.raises(CheckpointError):
        checkpoints.read(path)

    assert not victim.exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_truncated_checkpoint_is_refused(kept: float, zipped: bool, folder: Path) -> None:
    path = folder / "a.pth"
    content = {"weight": torch.ones(10_000)}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])

    with pytest.raises(CheckpointError, match="truncated or not a torch checkpoint"):
        checkpoints.read(path)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><title>Sign in</title>", b"PK\x03\x04"])
def test_a_file_of_another_kind_is_refused(content: bytes, folder: Path) -> None:
    path = folder / "a.pth"
    path.write_bytes(content)

    with pytest.raises(CheckpointError, match="not a torch checkpoint"):
        checkpoints.read(path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        [1, 2],
        {"state_dict": {"a": 1}},
        {"state_dict": {"a": np.ones(2)}},
        torch.ones(2),
        {"weight": torch.ones(2).to_sparse()},
        {"weight": torch.ones(2, dtype=torch.complex64)},
        {"weight": torch.ones(2, device="meta")},
    ],
)
def test_a_checkpoint_without_parameters_is_refused(content: Any, folder: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no state dict"):
        checkpoints.read(saved(content, folder))


@pytest.mark.parametrize("name", ["a.h5", "a.caffemodel", "a.safetensors", "a"])
def test_it_is_known_by_its_first_bytes_whatever_its_name(name: str, folder: Path) -> None:
    saved(PARAMETERS, folder).rename(folder / name)

    assert checkpoints.read(folder / name).keys() == PARAMETERS.keys()


def test_a_checkpoint_that_is_not_there_is_an_os_error(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        checkpoints.read(folder / "absent.pth")
