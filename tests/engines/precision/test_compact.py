"""Weights that are stored as int8 take a quarter of the space and are read as float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from engines.precision.compact import compact, read
from tests.engines.precision.graphs import NORMALISED, PIXELS, graph, pictures, run, weights

NODES = """
    a = Conv <pads = [1, 1, 1, 1]> (given, w1, b1)
    b = Relu (a)
    made = Conv (b, w2)
"""


def convolutions() -> onnx.ModelProto:
    return graph(
        PIXELS,
        NORMALISED + NODES,
        mean=np.full((1, 3, 1, 1), 128, np.float32),
        w1=weights(64, 3, 3, 3),
        b1=weights(64),
        w2=weights(8, 64, 1, 1),
    )


def kinds(model: onnx.ModelProto) -> dict[str, int]:
    return {one.name: one.data_type for one in model.graph.initializer}


def test_a_compact_graph_answers_nearly_the_same_and_is_much_smaller() -> None:
    model = convolutions()
    made = compact(model)
    expected, shown = run(model, pictures(2, 16, 12)), run(made, pictures(2, 16, 12))
    assert 0 < np.abs(shown - expected).max() < 0.02 * np.abs(expected).max()
    assert made.ByteSize() < 0.5 * model.ByteSize()
    onnx.checker.check_model(made, full_check=True)


def test_weights_are_int8_and_biases_stay_exact() -> None:
    model = convolutions()
    made = kinds(compact(model))
    assert {name for name, kind in made.items() if kind == TensorProto.INT8} == {
        "w1.stored",
        "w2.stored",
    }
    assert {"mean", "b1"} <= made.keys()
    assert set(kinds(model).values()) == {TensorProto.FLOAT}, "the given graph has changed"


def test_what_is_read_has_float32_weights_under_their_names(tmp_path: Path) -> None:
    model = convolutions()
    onnx.save(compact(model), tmp_path / "small.onnx")
    again = read(tmp_path / "small.onnx")
    assert kinds(again) == kinds(model)
    assert [node.op_type for node in again.graph.node] == [
        node.op_type for node in model.graph.node
    ]
    compacted = run(compact(model), pictures(2, 16, 12))
    np.testing.assert_allclose(run(again, pictures(2, 16, 12)), compacted, rtol=1e-5)


def test_a_graph_of_float32_is_read_as_it_is(tmp_path: Path) -> None:
    onnx.save(convolutions(), tmp_path / "small.onnx")
    assert read(tmp_path / "small.onnx") == convolutions()


def test_a_weight_is_off_by_half_a_step_of_its_channel(tmp_path: Path) -> None:
    model = convolutions()
    onnx.save(compact(model), tmp_path / "small.onnx")
    before, after = weight(model), weight(read(tmp_path / "small.onnx"))
    steps = np.abs(before).max(axis=(1, 2, 3), keepdims=True) / 127
    assert (np.abs(after - before) <= 0.5001 * steps).all()


def test_channels_of_zeros_stay_zeros(tmp_path: Path) -> None:
    model = convolutions()
    (large,) = (one for one in model.graph.initializer if one.name == "w1")
    values = weight(model).copy()
    values[3] = 0
    large.CopyFrom(onnx.numpy_helper.from_array(values, "w1"))
    onnx.save(compact(model), tmp_path / "small.onnx")
    assert not weight(read(tmp_path / "small.onnx"))[3].any()


def test_another_quantised_graph_is_read_as_it_is(tmp_path: Path) -> None:
    model = compact(convolutions())
    for node in model.graph.node:
        for at, name in enumerate(node.input):
            node.input[at] = name.replace(".stored", ".quantised")
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.replace(".stored", ".quantised")
    onnx.save(model, tmp_path / "small.onnx")
    assert read(tmp_path / "small.onnx") == model


def weight(model: onnx.ModelProto) -> np.ndarray:
    (large,) = (one for one in model.graph.initializer if one.name == "w1")
    return np.asarray(onnx.numpy_helper.to_array(large))
