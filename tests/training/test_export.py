"""What is written of a checkpoint answers as the network that was learned."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")
pytest.importorskip("onnxscript", reason="graphs are written with onnxscript, not installed")
pytest.importorskip("nncf", reason="int8 is made with nncf, which is not installed")

import openvino
import torch
from typer.testing import CliRunner

from engines import weights
from engines.catalog import WeightFile, catalog, find
from engines.loading import load
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.runtime.engine import Batch
from engines.runtime.openvino import OpenVinoEngine
from engines.runtime.torch import TorchEngine
from engines.skeletons import SKELETONS
from engines.weights import Store, is_published
from tests.training.drawn import folder_of_four, run_of
from training.checkpoint import averaged_network, begun, save
from training.devices import place
from training.export import app
from training.loop import learner
from training.network import student

ENTRY = find("posewire-small")
NETWORK = ENTRY.networks["network"]
SIZES = (64, 64), (72, 104)
_SEEN = 30  # batches until statistics are those of what is seen
NAMES = ["posewire-small.xml", "posewire-small.bin", "posewire-small.onnx"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of pictures and a checkpoint of a network that sees them in two sizes."""
    folder = tmp_path_factory.mktemp("run")
    config = run_of(folder_of_four(folder), inference={"scales": [0.5, 1.25]})
    with place() as here:
        state = learner(config, SKELETONS[config.skeleton], here).state
    with torch.no_grad():
        for parameter in state.averaged.parameters():  # the exporter keeps one of equal ones
            parameter.add_(0.01 * torch.randn_like(parameter))
    for _ in range(_SEEN):  # normalisations without statistics would let all fade away
        state.averaged.train()(torch.rand(4, 3, 64, 64) - 0.5)
    save(folder / "checkpoint.pt", config, 0, state)
    torch.save({}, folder / "other.pt")
    (folder / "text.pt").write_text("not of torch at all")
    return folder


def exported(folder: Path, *options: str) -> tuple[Path, str]:
    """The folder of the files, and what was said."""
    out = folder / "-".join(["out", *options])
    arguments = [str(folder / "checkpoint.pt"), "--images", str(folder), "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, *options])
    assert result.exit_code == 0, result.output
    return out, result.stdout


@pytest.fixture(scope="module")
def int8(folder: Path) -> tuple[Path, str]:
    return exported(folder)


def answers_as(graph: Path, folder: Path, tolerance: float) -> None:
    """That a graph's maps of pictures of several sizes and numbers are the network's, but for so
    much of their largest value."""
    engine = OpenVinoEngine(graph, NETWORK)
    original = TorchEngine(averaged_network(folder / "checkpoint.pt"), NETWORK)
    for count, size in enumerate(SIZES, start=1):
        shown: Batch = np.random.default_rng(5).integers(0, 256, (count, *size, 3), np.uint8)
        made, expected = engine.infer(shown), original.infer(shown)
        assert made.keys() == expected.keys()
        for name, values in expected.items():
            assert np.abs(made[name] - values).max() < tolerance * np.abs(values).max()


def test_onnx_with_int8_weights_answers_nearly_as_the_network(
    int8: tuple[Path, str], folder: Path
) -> None:
    answers_as(int8[0] / "posewire-small.onnx", folder, 0.05)


def test_the_int8_ir_answers_nearly_as_the_network(int8: tuple[Path, str], folder: Path) -> None:
    graph = int8[0] / "posewire-small.xml"
    answers_as(graph, folder, 0.15)
    kinds = [op.get_type_name() for op in openvino.Core().read_model(graph).get_ops()]
    assert "FakeQuantize" in kinds


def test_the_float16_ir_answers_as_the_network(folder: Path) -> None:
    out, said = exported(folder, "--float16")
    answers_as(out / "posewire-small.xml", folder, 0.01)
    assert re.findall(r'name = "(.*)"', said) == NAMES


def test_what_is_printed_is_what_the_catalogue_verifies(
    int8: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, said = int8
    files = tuple(WeightFile(**one) for one in tomllib.loads(said)[ENTRY.name]["files"])
    assert [file.name for file in files] == NAMES
    assert all(is_published(out / file.name, file) for file in files)
    assert not any(str(folder).encode() in (out / name).read_bytes() for name in NAMES), "a path"


def test_the_service_loads_what_was_written(
    int8: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ENTRY.name).symlink_to(int8[0])
    monkeypatch.setattr(weights, "_SHIPPED", tmp_path)
    monkeypatch.setitem(catalog(), ENTRY.name, replace(ENTRY, files=()))
    model = load(ENTRY.name, Store(tmp_path / "cache"))
    assert [(engine.name, engine.precision) for engine in model.engines.values()] == [
        ("openvino", "int8")
    ]
    model.close()
    assert not (tmp_path / "cache").exists()


def test_a_run_can_begin_with_what_was_written(int8: tuple[Path, str], folder: Path) -> None:
    config = run_of(folder / "annotations.json")
    graph = int8[0] / "posewire-small.onnx"
    network = begun(student(config.student, SKELETONS[config.skeleton]), graph).state_dict()
    learned = averaged_network(folder / "checkpoint.pt").state_dict()
    for key, value in learned.items():
        if not key.endswith("num_batches_tracked"):
            given = network[key.removeprefix("network.")]
            assert (given - value).abs().max() <= value.abs().max() / 254 + 1e-6


def test_a_run_cannot_begin_with_a_graph_of_another_network(
    int8: tuple[Path, str], tmp_path: Path
) -> None:
    network = LightweightOpenPose(width=0.5, blocks=1)
    with pytest.raises(ValueError, match="is of another network: choose its skeleton, backbone"):
        begun(network, int8[0] / "posewire-small.onnx")
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(ValueError, match=r"text\.onnx is no ONNX graph"):
        begun(network, tmp_path / "text.onnx")


@pytest.mark.parametrize(
    ("checkpoint", "images", "said"),
    [
        ("absent.pt", ".", "absent.pt"),
        ("other.pt", ".", "other.pt is no checkpoint"),
        ("text.pt", ".", "text.pt is no checkpoint"),
        ("checkpoint.pt", "absent", "absent"),
    ],
)
def test_what_is_wrong_is_one_line(folder: Path, checkpoint: str, images: str, said: str) -> None:
    arguments = [str(folder / checkpoint), "--images", str(folder / images), "--out", str(folder)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.output.splitlines()) == 1
