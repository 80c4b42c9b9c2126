from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="checkpoints become torch's, which is not installed")
pytest.importorskip("h5py", reason="it writes the files to read")

import h5py
import torch
from torch import Tensor

from engines import checkpoints
from engines.checkpoints import CheckpointError
from tests.engines.checkpoints import originals

MULTIPOSENET = "multiposenet-resnet50"
SMALL = "lightweight-openpose-1stage"


def saved(parameters: dict[str, Tensor], path: Path) -> Path:
    """As MultiPoseNet's authors save them, with the epoch beside."""
    with h5py.File(path, "w") as file:
        for key, value in parameters.items():
            file.create_dataset(key, data=value.numpy())
        file.attrs["epoch"] = 29
    return path


def test_multiposenet_gives_the_original_outputs(folder: Path) -> None:
    path = saved(originals.parameters(MULTIPOSENET), folder / "ckpt_baseline.h5")
    network = originals.network(MULTIPOSENET)

    checkpoints.load(network, path)

    originals.assert_its_outputs_are_stored(network, MULTIPOSENET)


@pytest.mark.parametrize("prefix", ["module.", ""])
@pytest.mark.parametrize("separator", [".", "/"])
def test_a_prefix_is_dropped_and_groups_may_nest(prefix: str, separator: str, folder: Path) -> None:
    parameters = {
        (prefix + key).replace(".", separator): value
        for key, value in originals.parameters(SMALL).items()
    }
    network = originals.network(SMALL)

    checkpoints.load(network, saved(parameters, folder / "download"))

    originals.assert_its_outputs_are_stored(network, SMALL)


@pytest.mark.parametrize("kind", [">f4", "<f8", "<f2", ">i8"])
def test_numbers_of_every_width_and_order_are_read(kind: str, folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file["weight"] = np.array([[1, 2], [3, 4]], kind)

    assert checkpoints.read(folder / "a.h5")["weight"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("kept", [0, 5, 100, 3000])
def test_a_truncated_one_is_refused(kept: int, folder: Path) -> None:
    path = saved({"weight": torch.ones(10_000)}, folder / "a.h5")
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(CheckpointError, match="truncated or not an HDF5 file"):
        checkpoints.read(path)


@pytest.mark.parametrize(
    "value", ["text", np.array([b"ab"]), h5py.Empty("f4"), np.array([True]), np.array([1j])]
)
def test_what_is_no_array_of_numbers_is_refused(value: object, folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:
        file["notes"] = value

    with pytest.raises(CheckpointError, match="holds no numbers at notes"):
        checkpoints.read(folder / "a.h5")


def test_a_key_that_is_there_both_nested_and_not_is_refused(folder: Path) -> None:
    path = saved({"fpn.weight": torch.ones(2), "fpn/weight": torch.ones(2)}, folder / "a.h5")

    with pytest.raises(CheckpointError, match="a key twice"):
        checkpoints.read(path)


def test_more_than_the_file_can_hold_is_refused_before_it_is_read(folder: Path) -> None:
    with h5py.File(folder / "a.h5", "w") as file:  # of which nothing is written
        file.create_dataset("weight", (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10))

    with pytest.raises(CheckpointError, match="claims more parameters than it can hold"):
        checkpoints.read(folder / "a.h5")


def test_other_files_are_not_opened(folder: Path) -> None:
    (folder / "secret").write_bytes(bytes(8))
    other = saved({"weight": torch.ones(2)}, folder / "other.h5")
    with h5py.File(folder / "linked.h5", "w") as file:
        file["bias"] = np.ones(2)
        file["weight"] = h5py.ExternalLink(other.name, "weight")
    with h5py.File(folder / "raw.h5", "w") as file:
        file.create_dataset("weight", (2,), "f4", external=[(str(folder / "secret"), 0, 8)])
    with h5py.File(folder / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((2,), "f4")
        layout[:] = h5py.VirtualSource(str(other), "weight", (2,))
        file.create_virtual_dataset("weight", layout)

    assert list(checkpoints.read(folder / "linked.h5")) == ["bias"]
    for name in ("raw.h5", "virtual.h5"):
        with pytest.raises(CheckpointError, match="keeps weight in another file"):
            checkpoints.read(folder / name)


def test_one_without_parameters_is_refused(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="holds no parameters"):
        checkpoints.read(saved({}, folder / "a.h5"))


def test_without_its_library_the_install_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved({"weight": torch.ones(2)}, folder / "a.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)

    with pytest.raises(CheckpointError, match=r"pip install 'posewire\[torch\]'"):
        checkpoints.read(path)
