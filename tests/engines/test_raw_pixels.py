"""Graphs of others are given pixels as they come out of an image."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="graphs are changed with onnx, which is not installed")

import onnx
from onnx import TensorProto

from engines.pixels import PixelForm
from engines.raw_pixels import on_pixels, takes_batches
from tests.engines.precision.graphs import graph, pictures, run

FORM = PixelForm(mean=(123.0, 116.0, 103.0), scale=(58.0, 57.0, 56.0), rgb=True)


def passing(name: str = "given", shape: str = "n, 3, h, w") -> onnx.ModelProto:
    """Gives what it is given, so that a test sees it."""
    return graph(f"(float[{shape}] {name}) => (float[{shape}] made)", f"made = Identity ({name})")


@pytest.mark.parametrize("name", ["given", "image"])
def test_it_normalises_pixels_in_the_networks_own_order(name: str) -> None:
    image = pictures(2, 5, 4)
    expected = ((image[..., ::-1] - np.array(FORM.mean)) / FORM.scale).transpose(0, 3, 1, 2)
    made = run(on_pixels(passing(name), FORM), image)
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-6)


def test_it_takes_a_network_of_plain_pixels_as_they_are() -> None:
    image = pictures(1, 5, 4)
    made = on_pixels(passing(), PixelForm())
    assert [node.op_type for node in made.graph.node] == ["Cast", "Transpose", "Identity"]
    np.testing.assert_array_equal(run(made, image), image.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("shape", "sides"), [("n, 3, h, w", ["n", "h", "w", 3]), ("1, 3, 6, 4", [1, 6, 4, 3])]
)
def test_its_input_is_named_image_and_its_sizes_stay(shape: str, sides: list[str | int]) -> None:
    model = passing(shape=shape)
    made = on_pixels(model, FORM)
    onnx.checker.check_model(made, full_check=True)
    (image,) = made.graph.input
    assert image.name == "image"
    given = image.type.tensor_type
    assert given.elem_type == TensorProto.UINT8
    assert [side.dim_param or side.dim_value for side in given.shape.dim] == sides
    assert takes_batches(made) == takes_batches(model) == (sides[0] == "n")


def test_a_graph_of_pixels_is_left_as_it_is() -> None:
    model = on_pixels(passing(), FORM)
    assert on_pixels(model, FORM) is model


def test_parameters_that_an_old_file_lists_are_no_inputs() -> None:
    model = graph(
        "(float[n, 3, h, w] x, float[1] b) => (float[n, 3, h, w] made)",
        "made = Add (x, b)",
        b=np.ones(1, np.float32),
    )
    assert run(on_pixels(model, PixelForm()), np.zeros((1, 2, 2, 3), np.uint8)).tolist() == [
        [[[1, 1], [1, 1]]] * 3
    ]


def test_what_takes_no_picture_is_refused() -> None:
    arrays = graph("(float[n, 3] given) => (float[n, 3] made)", "made = Identity (given)")
    with pytest.raises(ValueError, match=r"given is not \(N, 3, h, w\) float32"):
        on_pixels(arrays, FORM)
    two = graph("(float[n] a, float[n] b) => (float[n] made)", "made = Add (a, b)")
    with pytest.raises(ValueError, match="2 inputs, not one"):
        on_pixels(two, FORM)
