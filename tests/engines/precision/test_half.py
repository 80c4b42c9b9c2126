"""Graphs in half precision say what those in float32 do, but for rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

pytest.importorskip("onnx", reason="graphs are changed with onnx, which is not installed")

import onnx
from onnx import TensorProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from engines.precision.half import to_half
from tests.engines.precision.graphs import (
    NORMALISED,
    PIXELS,
    graph,
    pictures,
    run,
    types,
    weights,
)

Half = Literal["fp16", "bf16"]
HALVES: tuple[tuple[Half, int, float], ...] = (
    ("fp16", TensorProto.FLOAT16, 2e-3),
    ("bf16", TensorProto.BFLOAT16, 2e-2),
)
MEAN = np.array([123.675, 116.28, 103.53], np.float32).reshape(1, 3, 1, 1)


def convolutions() -> onnx.ModelProto:
    nodes = """
        first = Conv <pads = [1, 1, 1, 1]> (given, w1, b1)
        positive = Relu (first)
        wide = Resize <mode = "linear"> (positive, none, scales)
        second = Conv (wide, w2)
        passed = Conv (given, w3)
        passed_on = Resize <mode = "nearest"> (passed, none, scales)
        made = Add (second, passed_on)
    """
    return graph(
        PIXELS,
        NORMALISED + nodes,
        mean=MEAN,
        w1=weights(8, 3, 3, 3),
        b1=weights(8, 1).ravel(),
        w2=weights(4, 8, 1, 1),
        w3=weights(4, 3, 1, 1),
        none=np.zeros(0, np.float32),
        scales=np.array([1, 1, 2, 2], np.float32),
    )


@pytest.mark.parametrize(("half", "kind", "tolerance"), HALVES)
def test_it_gives_the_same_but_for_rounding_whatever_the_size(
    half: Half, kind: int, tolerance: float
) -> None:
    model = convolutions()
    made = to_half(model, half)
    for shape in ((1, 8, 12), (3, 16, 8)):
        expected = run(model, pictures(*shape))
        error = np.abs(run(made, pictures(*shape)) - expected).max() / np.abs(expected).max()
        assert 0 < error < tolerance


@pytest.mark.parametrize(("half", "kind", "tolerance"), HALVES)
def test_inputs_and_outputs_keep_their_names_types_and_free_sizes(
    half: Half, kind: int, tolerance: float
) -> None:
    model = convolutions()
    made = to_half(model, half)
    assert list(made.graph.input) == list(model.graph.input)
    assert list(made.graph.output) == list(model.graph.output)


@pytest.mark.parametrize(("half", "kind", "tolerance"), HALVES)
def test_work_is_in_half_and_each_value_is_cast_once(
    half: Half, kind: int, tolerance: float
) -> None:
    made = to_half(convolutions(), half)
    of = types(made)
    work = [node for node in made.graph.node if node.op_type in {"Conv", "Add", "Relu"}]
    assert {of[name] for node in work for name in node.input} == {kind}
    assert {of[node.input[2]] for node in made.graph.node if node.op_type == "Resize"} == {
        TensorProto.FLOAT
    }
    # Of the pixels, of what two convolutions are given, and of the output.
    assert [node.op_type for node in made.graph.node].count("Cast") == 3
    assert not any(one.name in {"w1", "w2", "w3", "b1"} for one in made.graph.initializer)


def test_a_graph_of_float16_is_valid() -> None:
    onnx.checker.check_model(to_half(convolutions(), "fp16"), full_check=True)


def test_the_model_that_was_given_is_not_changed() -> None:
    model = convolutions()
    before = model.SerializeToString()
    to_half(model, "bf16")
    assert model.SerializeToString() == before


def test_pixels_are_normalised_exactly() -> None:
    model = graph(
        PIXELS, NORMALISED + "made = Conv (given, one)", mean=MEAN, one=np.ones((1, 3, 1, 1), "f4")
    )
    grey = np.array([124, 116, 104], np.uint8).reshape(1, 1, 1, 3)  # bfloat16 has a mean of 123.5
    made = run(to_half(model, "bf16"), grey)
    np.testing.assert_allclose(made, run(model, grey), rtol=0.01)


@pytest.mark.parametrize(("half", "kind", "tolerance"), HALVES)
def test_probabilities_of_thousands_do_not_vanish(half: Half, kind: int, tolerance: float) -> None:
    model = graph(
        "(float[n, 4] given) => (float[n, 90, 400] made)",
        """
            heat = MatMul (given, w)
            parts = Softmax <axis = 1> (heat)
            made = Reshape (parts, shape)
        """,
        w=weights(4, 36000),
        shape=np.array([-1, 90, 400]),
    )
    given = np.random.default_rng(0).standard_normal((2, 4), np.float32)
    expected = run(model, given)
    assert expected.max() < 2**-14  # float16's least normal number
    made = run(to_half(model, half), given)
    assert np.abs(made / expected - 1).max() < 2 * tolerance
    assert types(to_half(model, half))["made"] == TensorProto.FLOAT


def sampling() -> onnx.ModelProto:
    """Looks at each of 300 columns where it is, by offsets of zero from a convolution."""
    nodes = """
        features = Conv (given, w)
        offsets = Conv (given, zeros)
        last = Transpose <perm = [0, 2, 3, 1]> (offsets)
        grid = Add (last, positions)
        sampled = GridSample <align_corners = 1> (features, grid)
        made = Conv (sampled, one)
    """
    columns = np.linspace(-1, 1, 300, dtype=np.float32)
    positions = np.stack(np.broadcast_arrays(columns, np.float32(0)), axis=-1)
    return graph(
        PIXELS,
        NORMALISED + nodes,
        mean=MEAN,
        w=weights(1, 3, 1, 1),
        zeros=np.zeros((2, 3, 1, 1), np.float32),
        positions=positions.reshape(1, 1, 300, 2),
        one=np.ones((1, 1, 1, 1), np.float32),
    )


@pytest.mark.parametrize(("half", "kind", "tolerance"), HALVES)
def test_sampling_positions_are_exact(half: Half, kind: int, tolerance: float) -> None:
    model = sampling()
    expected = run(model, pictures(1, 1, 300))
    made = to_half(model, half)
    error = np.abs(run(made, pictures(1, 1, 300)) - expected).max() / np.abs(expected).max()
    assert error < tolerance
    of = types(made)
    before = {node.output[0]: node for node in made.graph.node}
    assert {of[name] for name in before["grid"].input} == {TensorProto.FLOAT}
    assert of["sampled"] == TensorProto.FLOAT  # TensorRT samples in the numbers of the grid
    assert {of[name] for name in before[f"made.{half}"].input} == {kind}


def test_an_output_that_is_used_further_on_is_both() -> None:
    model = graph(
        "(float[n, 3, h, w] given) => (float[n, 2, h, w] first, float[n, 2, h, w] made)",
        "first = Conv (given, a) made = Conv (first, b)",
        a=weights(2, 3, 1, 1),
        b=weights(2, 2, 1, 1),
    )
    made = to_half(model, "fp16")
    of = types(made)
    assert of["first"] == of["made"] == TensorProto.FLOAT
    assert of["first.fp16"] == TensorProto.FLOAT16


def test_constant_nodes_are_constants_too() -> None:
    model = graph(
        "(float[n, 3, h, w] given) => (float[n, 2, h, w] made)",
        "seen = Conv (given, w) two = Constant <value = float {2}> () made = Mul (seen, two)",
        w=weights(2, 3, 1, 1),
    )
    made = to_half(model, "fp16")
    assert types(made)["two.fp16"] == TensorProto.FLOAT16
    assert [node.op_type for node in made.graph.node] == ["Cast", "Conv", "Mul", "Cast"]


def constant(**constants: np.ndarray) -> onnx.ModelProto:
    return graph(
        "(float[n, 3, h, w] given) => (float[n, 2, h, w] made)",
        "seen = Conv (given, w) made = Div (seen, by)",
        **{"w": weights(2, 3, 1, 1), "by": np.ones(1, np.float32)} | constants,
    )


def test_a_constant_that_float16_has_not_is_refused_by_name() -> None:
    large = weights(2, 3, 1, 1)
    large[1, 2] = 7e4
    with pytest.raises(ValueError, match="w has 70000, which is infinite in fp16"):
        to_half(constant(w=large), "fp16")
    to_half(constant(w=large), "bf16")
    with pytest.raises(ValueError, match="by has 1e-09, a divisor that is 0 in fp16"):
        to_half(constant(by=np.array([1e-9], np.float32)), "fp16")
    to_half(constant(w=weights(2, 3, 1, 1) * np.float32(1e-9)), "fp16")


def test_control_flow_is_refused() -> None:
    model = graph("(float[n] given, bool yes) => (float[n] made)", "made = Identity (given)")
    branch = onnx.parser.parse_graph("branch () => (float[n] inner) {inner = Identity (given)}")
    del model.graph.node[:]
    model.graph.node.append(
        onnx.helper.make_node("If", ["yes"], ["made"], then_branch=branch, else_branch=branch)
    )
    with pytest.raises(ValueError, match=r"control flow \(If\)"):
        to_half(model, "fp16")


def quantised() -> onnx.ModelProto:
    """A convolution between quantisers, as TensorRT takes it."""
    nodes = """
        q = QuantizeLinear (given, scale, zero)
        dq = DequantizeLinear (q, scale, zero)
        w = DequantizeLinear <axis = 0> (w8, w_scale, w_zero)
        felt = Conv (dq, w, b)
        made = Relu (felt)
    """
    return graph(
        PIXELS,
        NORMALISED + nodes,
        mean=MEAN,
        scale=np.array(1.2, np.float32),
        zero=np.array(0, np.int8),
        w8=np.random.default_rng(0).integers(-127, 128, (8, 3, 3, 3), np.int8),
        w_scale=np.full(8, 0.01, np.float32),
        w_zero=np.zeros(8, np.int8),
        b=weights(8, 1).ravel(),
    )


@pytest.mark.parametrize(("half", "kind", "tolerance"), HALVES)
def test_quantisers_get_half_scales_and_the_opset_that_has_them(
    half: Half, kind: int, tolerance: float
) -> None:
    made = to_half(quantised(), half)
    assert made.opset_import[0].version == 19
    kinds = {one.name: one.data_type for one in made.graph.initializer}
    scales = [n.input[1] for n in made.graph.node if n.op_type.endswith("izeLinear")]
    assert len(scales) == 3
    assert {kinds[name] for name in scales} == {kind}
    onnx.checker.check_model(made)
    # OpenVINO gives numbers out of nowhere for quantisers of bfloat16.
    (ours,) = ReferenceEvaluator(made).run(None, {"image": pictures(2, 8, 8)})
    expected = run(quantised(), pictures(2, 8, 8))
    assert np.abs(ours - expected).max() / np.abs(expected).max() < tolerance


def test_int8_stays_int8() -> None:
    stays = {one.name: one for one in to_half(quantised(), "fp16").graph.initializer}["w8"]
    assert numpy_helper.to_array(stays).dtype == np.int8


@pytest.mark.parametrize(("half", "kind", "tolerance"), HALVES)
@pytest.mark.parametrize("made", [convolutions, sampling, quantised])
def test_tensorrt_rtx_builds_it_strongly_typed(
    made: Callable[[], onnx.ModelProto], half: Half, kind: int, tolerance: float
) -> None:
    trt = pytest.importorskip("tensorrt_rtx", reason="needs tensorrt_rtx, which is not installed")
    builder = trt.Builder(trt.Logger(trt.Logger.INTERNAL_ERROR))
    strongly = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    network = builder.create_network(strongly)
    parser = trt.OnnxParser(network, trt.Logger(trt.Logger.INTERNAL_ERROR))
    assert parser.parse(to_half(made(), half).SerializeToString()), parser.get_error(0)
    assert network.get_output(0).dtype == trt.float32
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    profile.set_shape("image", (1, 8, 300, 3), (2, 8, 300, 3), (4, 8, 300, 3))
    config.add_optimization_profile(profile)
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM80, 0)
    assert builder.build_serialized_network(network, config) is not None
