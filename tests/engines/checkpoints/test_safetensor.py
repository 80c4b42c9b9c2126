from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="checkpoints become torch's, which is not installed")
pytest.importorskip("safetensors", reason="it writes the files to read")

import torch
from safetensors.torch import save_file

from engines import checkpoints
from engines.checkpoints import CheckpointError
from tests.engines.checkpoints import originals

NAME = "lightweight-openpose-1stage"


@pytest.mark.parametrize("file", ["model.safetensors", "download"])
def test_a_network_gives_the_original_outputs(file: str, folder: Path) -> None:
    save_file(originals.parameters(NAME), folder / file)
    network = originals.network(NAME)

    checkpoints.load(network, folder / file)

    originals.assert_its_outputs_are_stored(network, NAME)


@pytest.mark.parametrize("kept", [0, 4, 40, 4000])
def test_a_truncated_one_is_refused(kept: int, folder: Path) -> None:
    path = folder / "model.safetensors"
    save_file({"weight": torch.ones(10_000)}, path)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(CheckpointError, match="truncated or not a safetensors file"):
        checkpoints.read(path)


def test_one_that_lies_about_its_sizes_is_refused(folder: Path) -> None:
    header = b'{"weight":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,8]}}'
    path = folder / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))

    with pytest.raises(CheckpointError, match="truncated or not a safetensors file"):
        checkpoints.read(path)


def test_one_without_parameters_is_refused(folder: Path) -> None:
    save_file({}, folder / "model.safetensors")

    with pytest.raises(CheckpointError, match="holds no parameters"):
        checkpoints.read(folder / "model.safetensors")


def test_without_its_library_the_install_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file({"weight": torch.ones(2)}, folder / "model.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)

    with pytest.raises(CheckpointError, match=r"pip install 'posewire\[torch\]'"):
        checkpoints.read(folder / "model.safetensors")
