"""The reference is the authors' network where it can be had, and says what it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.catalog import find
from engines.comparison import compare, prove
from engines.importing import bring
from engines.model import Model
from engines.options import Options
from engines.pictures import pictures
from engines.reference import of_checkpoint, reference
from engines.runtime.openvino import OpenVinoEngine
from engines.systems import SYSTEMS
from engines.weights import Store, ensure
from tests.shared import shared

ENTRY = find("lightweight-openpose")
NETWORK = ENTRY.networks["network"]
LOW = Options(height=64)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store into which a checkpoint of made-up parameters was imported."""
    torch = pytest.importorskip("torch", reason="checkpoints are read with torch, not installed")
    pytest.importorskip("onnxscript", reason="torch exports with onnxscript, not installed")
    from engines.networks.lightweight_openpose import LightweightOpenPose  # noqa: PLC0415
    from tests.parity.networks import fill  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("imported")
    network = LightweightOpenPose(1)
    fill(network, shared("fixtures"))
    torch.save(network.state_dict(), folder / "checkpoint.pth")
    store = Store(folder / "cache")
    bring(ENTRY, folder / "checkpoint.pth", store)
    return store


@pytest.fixture
def authors(imported: Store) -> Iterator[Model]:
    model = reference(ENTRY, imported, LOW)
    yield model
    model.close()


def test_a_model_of_a_checkpoint_is_compared_with_pytorch(authors: Model) -> None:
    import torch  # noqa: PLC0415

    assert authors.why == f"PyTorch {torch.__version__}, float32"
    assert [engine.name for engine in authors.engines.values()] == ["torch"]
    assert authors.entry.input.height == LOW.height


def test_its_exported_graph_gives_the_same_outputs(authors: Model, imported: Store) -> None:
    """Whom it finds says nothing, as the parameters are made up."""
    engine = OpenVinoEngine(imported.graph(ENTRY, NETWORK), NETWORK)
    system = SYSTEMS[ENTRY.system].make(ENTRY, imported.imported(ENTRY), LOW)
    graph = Model(ENTRY, system, {NETWORK.name: engine})
    comparison = compare(authors, graph, pictures())
    assert comparison.outputs.keys() == {f"{ENTRY.name}/heatmaps", f"{ENTRY.name}/fields"}
    assert [fault for fault in comparison.faults("fp32") if ENTRY.name in fault] == []
    engine.close()


def test_a_graph_that_was_brought_later_is_not_of_the_checkpoint(imported: Store) -> None:
    graph, checkpoint = imported.graph(ENTRY, NETWORK), imported.checkpoint(ENTRY)
    before = graph.stat().st_mtime_ns
    assert of_checkpoint(ENTRY, NETWORK, imported)
    os.utime(graph, ns=(0, checkpoint.stat().st_mtime_ns + 1))
    assert not of_checkpoint(ENTRY, NETWORK, imported)
    model = reference(ENTRY, imported, LOW)
    assert model.why.startswith("OpenVINO ")
    model.close()
    os.utime(graph, ns=(0, before))


@pytest.mark.parametrize(("prn_is_newer", "expected"), [(False, True), (True, False)])
def test_a_network_that_was_imported_apart_is_told_from_those_of_the_checkpoint(
    prn_is_newer: bool, expected: bool, tmp_path: Path
) -> None:
    entry, store = find("multiposenet-resnet50"), Store(tmp_path)
    store.imported(entry).mkdir(parents=True)
    graphs = {role: store.imported(entry) / one.graph for role, one in entry.networks.items()}
    for seconds, file in enumerate([*graphs.values(), store.checkpoint(entry)]):
        file.touch()
        os.utime(file, (seconds, seconds))
    if prn_is_newer:
        os.utime(graphs["prn"], (9, 9))
    assert of_checkpoint(entry, entry.networks["network"], store)
    assert of_checkpoint(entry, entry.networks["prn"], store) is expected


def test_a_published_graph_is_compared_with_itself_in_float32(store: Store) -> None:
    entry = find("pp-tinypose-256x192")
    ensure(entry, store)
    model = reference(entry, store)
    assert model.why.startswith("OpenVINO 20")
    assert model.why.endswith(", float32")
    assert prove(model, model, pictures(), "fp32").reference == model.why
    model.close()


def test_without_pytorch_a_graph_of_a_checkpoint_is_compared_with_itself(
    imported: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engines.reference.find_spec", lambda _: None)
    model = reference(ENTRY, imported, LOW)
    assert model.why.startswith("OpenVINO ")
    model.close()
