"""Networks in int8 give nearly what those in float32 do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("nncf", reason="int8 is made with nncf, which is not installed")
pytest.importorskip("onnxruntime", reason="nncf fits ONNX graphs with onnxruntime, not installed")

import onnx
import onnxruntime
import openvino
from onnx import numpy_helper

from engines.catalog import Network
from engines.precision import int8
from engines.precision.half import to_half
from engines.precision.int8 import quantise_ir, quantise_onnx
from engines.runtime.openvino import OpenVinoEngine
from tests.engines.precision.graphs import NORMALISED, PIXELS, graph, pictures, run, weights

NETWORK = Network("small", "small.onnx", {"heatmaps": "made"}, pixels=None)
BATCHES = [pictures(2, 16, 12), pictures(1, 16, 12)]


def convolutions() -> onnx.ModelProto:
    nodes = """
        a = Conv <pads = [1, 1, 1, 1]> (given, w1)
        b = Relu (a)
        c = Conv <pads = [1, 1, 1, 1]> (b, w2)
        d = Relu (c)
        made = Conv (d, w3)
    """
    return graph(
        PIXELS,
        NORMALISED + nodes,
        mean=np.full((1, 3, 1, 1), 128, np.float32),
        w1=weights(8, 3, 3, 3),
        w2=weights(8, 8, 3, 3),
        w3=weights(4, 8, 1, 1),
    )


def sampling() -> onnx.ModelProto:
    """A deformable convolution in small: weights times what is sampled where another says."""
    nodes = """
        features = Conv (given, w1)
        offsets = Conv (given, w2)
        grid = Transpose <perm = [0, 2, 3, 1]> (offsets)
        sampled = GridSample (features, grid)
        row = Reshape (sampled, flat)
        mixed = MatMul (w3, row)
        square = Reshape (mixed, shape)
        made = Conv (square, w4)
    """
    return graph(
        PIXELS,
        NORMALISED + nodes,
        mean=np.full((1, 3, 1, 1), 128, np.float32),
        w1=weights(8, 3, 1, 1),
        w2=weights(2, 3, 1, 1) * np.float32(0.003),
        w3=weights(2, 4, 4),
        w4=weights(4, 8, 1, 1),
        flat=np.array([0, 2, 4, 16 * 12]),
        shape=np.array([0, 8, 16, 12]),
    )


def quantisers(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type.endswith("izeLinear")]


def relative_error(made: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(made - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("make", [convolutions, sampling])
def test_explicit_quantisation_is_near_float32(make: Callable[[], onnx.ModelProto]) -> None:
    model = make()
    expected = run(model, pictures(2, 16, 12))
    made = quantise_onnx(model, BATCHES)
    session = onnxruntime.InferenceSession(made.SerializeToString())
    (ours,) = session.run(None, {"image": pictures(2, 16, 12)})
    assert 0 < relative_error(ours, expected) < 0.1


def test_explicit_quantisation_is_symmetric_and_of_weights_by_channel() -> None:
    made = quantise_onnx(convolutions(), BATCHES)
    tensors = {one.name: numpy_helper.to_array(one) for one in made.graph.initializer}
    zeros = [tensors[node.input[2]] for node in quantisers(made)]
    assert {zero.dtype for zero in zeros} == {np.dtype(np.int8)}
    assert not any(zero.any() for zero in zeros)
    assert {tensors[node.input[1]].size for node in quantisers(made)} == {1, 4, 8}
    onnx.checker.check_model(to_half(made, "fp16"), full_check=True)


def test_what_leads_to_sampling_positions_is_not_quantised() -> None:
    made = quantise_onnx(sampling(), BATCHES)
    makers = {name: node for node in made.graph.node for name in node.output}
    (sampler,) = (node for node in made.graph.node if node.op_type == "GridSample")
    (product,) = (node for node in made.graph.node if node.op_type == "MatMul")
    assert makers[sampler.input[1]].op_type == "Transpose"
    assert makers[makers[sampler.input[1]].input[0]].op_type == "Conv"
    assert makers[product.input[1]].op_type == "Reshape"
    assert product.input[0] == "w3"


@pytest.mark.parametrize("make", [convolutions, sampling])
def test_ir_of_raw_pixels_is_near_float32(
    make: Callable[[], onnx.ModelProto], tmp_path: Path
) -> None:
    model = make()
    onnx.save(model, tmp_path / "small.onnx")
    quantise_ir(tmp_path / "small.onnx", NETWORK, BATCHES, tmp_path / "made.xml")
    engine = OpenVinoEngine(tmp_path / "made.xml", NETWORK, threads=1, precision="int8")
    ours = engine.infer(pictures(2, 16, 12))["heatmaps"]
    assert 0 < relative_error(ours, run(model, pictures(2, 16, 12))) < 0.1
    kinds = {
        op.get_type_name() for op in openvino.Core().read_model(tmp_path / "made.xml").get_ops()
    }
    assert "FakeQuantize" in kinds


def test_careful_quantisation_leaves_what_makes_the_outputs_in_float(tmp_path: Path) -> None:
    model = convolutions()
    onnx.save(model, tmp_path / "small.onnx")
    quantised = {}
    for careful in (False, True):
        made = tmp_path / f"{careful}.xml"
        quantise_ir(tmp_path / "small.onnx", NETWORK, BATCHES, made, careful=careful)
        engine = OpenVinoEngine(made, NETWORK, threads=1, precision="int8")
        ours = engine.infer(pictures(2, 16, 12))["heatmaps"]
        assert 0 < relative_error(ours, run(model, pictures(2, 16, 12))) < 0.1
        convolved = [
            op
            for op in openvino.Core().read_model(made).get_ordered_ops()
            if op.get_type_name() == "Convolution"
        ]
        quantised[careful] = [
            op.input_value(0).get_node().get_type_name() == "FakeQuantize" for op in convolved
        ]
    assert quantised == {False: [True] * 3, True: [True, True, False]}


def test_quantisation_is_silent(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    onnx.save(convolutions(), tmp_path / "small.onnx")
    quantise_ir(tmp_path / "small.onnx", NETWORK, BATCHES, tmp_path / "made.xml")
    quantise_onnx(convolutions(), BATCHES)  # and a warning would fail this test
    assert capfd.readouterr() == ("", "")


def test_of_many_inputs_it_takes_some_of_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(int8, "MOST_INPUTS", 3)
    batches = [np.full((4, 1, 1, 3), number, np.uint8) for number in range(5)]
    assert [int(one[0, 0, 0, 0]) for one in int8._inputs(batches)] == [0, 2, 4]


def test_it_says_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose other pictures"):
        quantise_onnx(convolutions(), [])
    with pytest.raises(ValueError, match=r"model.xml is not ONNX"):
        quantise_ir(tmp_path / "model.xml", NETWORK, BATCHES, tmp_path / "made.xml")
