"""What a user brings for a model is kept when it fits, and refused with a reason when not."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from engines.catalog import find
from engines.importing import bring
from engines.loading import load
from engines.model import run
from engines.weights import Store, WeightsError
from tests.shared import shared

TINYPOSE = "weights/pp-tinypose-256x192/tinypose_256x192.onnx"
YOLOX = "weights/yolox-nano/yolox_nano.onnx"


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("name", "file"), [("pp-tinypose-256x192", TINYPOSE), ("yolox-nano", YOLOX)]
)
def test_a_published_file_is_kept_as_if_it_had_been_fetched(
    name: str, file: str, tmp_path: Path
) -> None:
    entry, store = find(name), Store(tmp_path)
    renamed = Path(shutil.copy(shared(file), tmp_path / "download"))
    (kept,) = bring(entry, renamed, store)
    assert kept == store.folder(entry) / entry.files[0].name
    assert store.ready(entry)


def test_an_onnx_file_of_hrnets_form_serves_as_a_model_of_its_own(tmp_path: Path) -> None:
    entry, store = find("top-down-256x192"), Store(tmp_path)
    bring(entry, shared(TINYPOSE), store)
    model = load(entry.name, store)
    people = run(model, np.zeros((300, 200, 3), np.uint8))
    assert people.keypoints.shape == (1, 17, 3)
    model.close()


def test_a_file_of_ones_own_goes_before_the_published_one(tmp_path: Path) -> None:
    """Another network of the same form: the published file with a word changed."""
    data = shared(YOLOX).read_bytes()
    own = tmp_path / "own.onnx"
    own.write_bytes(data.replace(b"pytorch", b"sometch", 1))
    entry, store = find("yolox-nano"), Store(tmp_path / "cache")
    (kept,) = bring(entry, own, store)
    assert store.graph(entry, entry.networks["network"]) == kept
    assert kept.read_bytes() == own.read_bytes()
    load(entry.name, store).close()
    (published,) = bring(entry, shared(YOLOX), store)
    assert store.graph(entry, entry.networks["network"]) == published


def test_an_onnx_file_of_another_form_is_refused_and_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(ValueError, match=r"not of the form of pp-tinypose-256x192.*heatmaps"):
        bring(find("pp-tinypose-256x192"), shared(YOLOX), store)
    assert files(tmp_path) == []


def test_a_graph_whose_parameters_lie_in_another_file_is_refused_and_not_kept(
    tmp_path: Path,
) -> None:
    onnx = pytest.importorskip("onnx", reason="writes graphs")
    split = tmp_path / "split.onnx"
    onnx.save(onnx.load(shared(TINYPOSE)), split, save_as_external_data=True, location="beside")
    store = Store(tmp_path / "cache")
    with pytest.raises(ValueError, match="not of the form"):
        bring(find("top-down-256x192"), split, store)
    assert files(store.cache) == []


def test_a_file_that_is_no_graph_is_refused_and_not_kept(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(ValueError, match="not of the form"):
        bring(find("yolox-nano"), broken, Store(tmp_path / "cache"))
    assert files(tmp_path) == [broken]


@pytest.mark.parametrize("name", ["pp-tinypose-256x192", "top-down-384x288"])
def test_a_model_without_a_checkpoint_says_what_it_takes(name: str, tmp_path: Path) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"something")
    with pytest.raises(ValueError, match=f"not for {name}.*ONNX"):
        bring(find(name), other, Store(tmp_path / "cache"))


def test_several_graphs_cannot_come_as_one_onnx_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="bring its checkpoint"):
        bring(find("multiposenet-resnet50"), shared(YOLOX), Store(tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nowhere\.onnx"):
        bring(find("yolox-nano"), tmp_path / "nowhere.onnx", Store(tmp_path))


def test_a_checkpoint_is_kept_beside_the_graph_that_is_made_of_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="checkpoints are read with torch, not installed")
    from engines.networks.lightweight_openpose import LightweightOpenPose  # noqa: PLC0415

    checkpoint = tmp_path / "mine.pth"
    torch.save(LightweightOpenPose(1).state_dict(), checkpoint)
    entry, store = find("lightweight-openpose"), Store(tmp_path / "cache")
    made = bring(entry, checkpoint, store)
    assert [path.name for path in made] == [
        "lightweight-openpose.onnx",
        "checkpoint_iter_370000.pth",
    ]
    assert store.checkpoint(entry).read_bytes() == checkpoint.read_bytes()
    assert store.ready(entry)


def test_a_model_of_no_checkpoint_has_none_to_build_from(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="yolox-nano is not made of a checkpoint"):
        Store(tmp_path).checkpoint(find("yolox-nano"))
