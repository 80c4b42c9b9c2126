"""Engines that give a reference's answers are taken; damaged ones are refused, and say where."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest

from engines.comparison import TOLERANCES, Comparison, Difference, UnprovenError, compare, prove
from engines.geometry import Pixels
from engines.model import Model
from engines.pictures import inputs_of, pictures
from engines.precision import PRECISIONS, Precision
from engines.runtime.engine import Batch, Engine, Maps, Pending
from engines.runtime.openvino import OpenVinoEngine
from engines.weights import Store

Change = Callable[[Batch, Engine], Maps]


@dataclass
class Changed:
    """An engine with a fault."""

    engine: Engine
    change: Change
    name: str = "openvino"
    precision: Precision = "fp32"
    device: str = "cpu"
    max_batch: int = 2
    ahead: int = 0

    def infer(self, batch: Batch) -> Maps:
        return self.change(batch, self.engine)

    def start(self, batch: Batch) -> Pending:
        return lambda: self.infer(batch)

    def close(self) -> None: ...


def changed(model: Model, change: Change) -> Model:
    return replace(model, engines={n: Changed(e, change) for n, e in model.engines.items()})


def on(model: Model, store: Store, precision: Precision) -> Model:
    """The same model on engines of another precision."""
    engines = {
        network.name: OpenVinoEngine(
            store.graph(model.entry, network), network, precision=precision
        )
        for network in model.entry.networks.values()
    }
    return replace(model, engines=engines)


def swapped_colours(batch: Batch, engine: Engine) -> Maps:
    return engine.infer(np.ascontiguousarray(batch[..., ::-1], np.uint8))


def wrong_mean(batch: Batch, engine: Engine) -> Maps:
    return engine.infer(np.asarray(np.maximum(batch, 100) - 100, np.uint8))


def swapped_outputs(batch: Batch, engine: Engine) -> Maps:
    maps = engine.infer(batch)
    return dict(zip(maps, reversed(maps.values()), strict=True))


def swapped_channels(batch: Batch, engine: Engine) -> Maps:
    """Left for right, as a wrong order of the output's channels."""
    return {
        name: np.concatenate([values[:, :1], values[:, 1:][:, ::-1]], axis=1)
        for name, values in engine.infer(batch).items()
    }


def no_number(batch: Batch, engine: Engine) -> Maps:
    maps = engine.infer(batch)
    maps["heatmaps"][0, 5, 3, 2] = np.nan
    return maps


def infinite(batch: Batch, engine: Engine) -> Maps:
    maps = engine.infer(batch)
    maps["heatmaps"][-1, 0, 0, 0] = -np.inf
    return maps


def a_channel_lost(batch: Batch, engine: Engine) -> Maps:
    maps = engine.infer(batch)
    maps["heatmaps"][:, 0] = 0
    return maps


def always_the_same(batch: Batch, engine: Engine) -> Maps:
    return engine.infer(np.zeros_like(batch))


DAMAGES = (
    swapped_colours,
    wrong_mean,
    swapped_channels,
    no_number,
    infinite,
    a_channel_lost,
    always_the_same,
)


@pytest.fixture(scope="module")
def photographs() -> list[Pixels]:
    return pictures()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("damage", [*DAMAGES, swapped_outputs])
def test_a_damaged_bottom_up_model_is_refused_in_every_precision(
    damage: Change, precision: Precision, model: Model, photographs: list[Pixels]
) -> None:
    with pytest.raises(UnprovenError, match=model.entry.name):
        prove(model, changed(model, damage), photographs, precision)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_top_down_model_is_refused_in_every_precision(
    damage: Change, precision: Precision, poses: Model, photographs: list[Pixels]
) -> None:
    with pytest.raises(UnprovenError, match=poses.entry.name):
        prove(poses, changed(poses, damage), photographs, precision)


def test_a_model_is_proven_against_itself(poses: Model, photographs: list[Pixels]) -> None:
    comparison = prove(poses, poses, photographs, "fp32")
    assert comparison.outputs == {"pp-tinypose-256x192/heatmaps": Difference(0, 0)}
    assert (comparison.pictures, comparison.people, comparison.lost) == (2, 2, 0)
    assert comparison.oks == 1


def test_bfloat16_passes_and_is_not_float32(
    model: Model, store: Store, photographs: list[Pixels]
) -> None:
    candidate = on(model, store, "bf16")
    comparison = prove(model, candidate, photographs, "bf16")
    assert comparison.people >= 2
    with pytest.raises(UnprovenError, match=r"differs by up to 0\.00\d+ of its largest"):
        prove(model, candidate, photographs, "fp32")
    candidate.close()


def test_a_detector_is_compared_by_its_boxes(detector: Model, photographs: list[Pixels]) -> None:
    def moved(batch: Batch, engine: Engine) -> Maps:
        maps = engine.infer(batch)
        maps["detections"][..., :2] += 0.5  # of a cell
        return maps

    assert prove(detector, detector, photographs, "fp32").people == 2
    comparison = compare(detector, changed(detector, moved), photographs)
    assert comparison.lost == 0
    assert any("OKS" in fault for fault in comparison.faults("int8"))


def test_a_top_down_model_is_compared_on_the_boxes_of_a_detector(
    poses: Model, detector: Model, photographs: list[Pixels]
) -> None:
    comparison = prove(poses, poses, photographs, "fp32", detector)
    assert comparison.outputs.keys() == {"pp-tinypose-256x192/heatmaps"}
    assert comparison.people == 2


def test_a_network_without_a_layer_is_refused(
    poses: Model, store: Store, photographs: list[Pixels], tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="graphs are changed with onnx, not installed")
    network = poses.entry.networks["network"]
    graph = onnx.load(store.graph(poses.entry, network))
    layer = [one for one in graph.graph.initializer if len(one.dims) == 4][2]
    nothing = np.zeros(list(layer.dims), np.float32)
    layer.CopyFrom(onnx.numpy_helper.from_array(nothing, layer.name))
    onnx.save(graph, tmp_path / "zeroed.onnx")
    engine = OpenVinoEngine(tmp_path / "zeroed.onnx", network)
    with pytest.raises(UnprovenError, match="heatmaps differs by up to"):
        prove(poses, replace(poses, engines={network.name: engine}), photographs, "int8")
    engine.close()


def test_int8_that_was_calibrated_on_black_pictures_is_refused(
    detector: Model, store: Store, photographs: list[Pixels], tmp_path: Path
) -> None:
    nncf = pytest.importorskip("nncf", reason="int8 is made with NNCF, which is not installed")
    network = detector.entry.networks["network"]
    black = [np.zeros_like(picture) for picture in photographs]
    inputs = [
        np.zeros((1, 3, *asked.shape[1:3]), np.float32)
        for asked in inputs_of(detector, black)[network.name]
    ]
    graph = ov.Core().read_model(store.graph(detector.entry, network))
    ov.save_model(nncf.quantize(graph, nncf.Dataset(inputs)), tmp_path / "black.xml")
    engine = OpenVinoEngine(tmp_path / "black.xml", network)
    with pytest.raises(UnprovenError, match="people are lost"):
        prove(detector, replace(detector, engines={network.name: engine}), photographs, "int8")
    engine.close()


def test_a_refusal_says_which_output_by_how_much_and_what_to_do(
    model: Model, photographs: list[Pixels]
) -> None:
    with pytest.raises(UnprovenError) as refused:
        prove(replace(model, why="theirs"), changed(model, no_number), photographs, "bf16")
    assert re.search(
        r"lightweight-openpose-int8 in bf16 is not used, as it differs from theirs on 2 pictures: "
        r"lightweight-openpose-int8/heatmaps differs by up to inf of its largest value and by inf "
        r"on average, where bf16 may by 0.15 and 0.008; \d of \d people are lost. Choose another",
        str(refused.value),
    )


def comparison(**others: Any) -> Comparison:
    proven = Comparison("theirs", 3, {"one/maps": Difference(1e-4, 1e-5)}, 4, 0, 0.99)
    return replace(proven, **others)


def test_a_comparison_comes_back_from_json() -> None:
    for one in (comparison(), comparison(outputs={"one/maps": None}, oks=None)):
        assert Comparison.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize("precision", PRECISIONS)
def test_each_figure_beyond_its_tolerance_is_a_fault(precision: Precision) -> None:
    allowed = TOLERANCES[precision]
    assert comparison().faults(precision) == []
    for difference in (
        Difference(allowed.largest * 1.01, 0),
        Difference(allowed.largest, allowed.mean * 1.01),
        Difference(np.inf, np.inf),
        Difference(np.nan, np.nan),
    ):
        (fault,) = comparison(outputs={"one/maps": difference}).faults(precision)
        assert "one/maps differs" in fault


@pytest.mark.parametrize("precision", [one for one in PRECISIONS if one != "fp32"])
def test_people_who_are_lost_or_displaced_are_a_fault(precision: Precision) -> None:
    assert comparison(lost=1).faults(precision) == ["1 of 4 people are lost"]
    (fault,) = comparison(oks=0.979).faults(precision)
    assert "0.979" in fault
    assert len(comparison(oks=np.nan).faults(precision)) == 1


def test_people_of_equal_outputs_are_not_judged() -> None:
    assert comparison(lost=1, oks=0.9).faults("fp32") == []


def test_a_network_that_no_picture_leads_to_is_not_proven() -> None:
    (fault,) = comparison(outputs={"one/prn/output": None}).faults("fp32")
    assert "one/prn/output was not compared" in fault
