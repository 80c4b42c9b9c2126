"""ONNX graphs of others, given pixels as they come out of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from engines.pixels import PixelForm

INPUT = "image"


def on_pixels(model: onnx.ModelProto, form: PixelForm) -> onnx.ModelProto:
    """The graph with input `image`, (N, h, w, 3) uint8 BGR, in place of (N, 3, h, w) float32.

    N, h and w stay free or as they are. A graph that takes uint8 is returned as it is.

    Args:
        model: with one input.
        form: what its network takes.

    Raises:
        ValueError: it has another input than such pictures.
    """
    given = _input(model)
    if given.type.tensor_type.elem_type == TensorProto.UINT8:
        return model
    sides = given.type.tensor_type.shape.dim
    if given.type.tensor_type.elem_type != TensorProto.FLOAT or len(sides) != 4:
        raise ValueError(f"{given.name} is not (N, 3, h, w) float32")
    made = onnx.ModelProto()
    made.CopyFrom(model)
    network_input = f"{given.name}.normalised"
    for node in made.graph.node:
        for at, name in enumerate(node.input):
            if name == given.name:
                node.input[at] = network_input
    steps, constants = _steps(form, network_input)
    nodes = [*steps, *made.graph.node]
    del made.graph.node[:], made.graph.input[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(constants)
    n, _, height, width = (side.dim_param or side.dim_value or None for side in sides)
    shape = [n, height, width, 3]
    made.graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.UINT8, shape))
    return made


def takes_batches(model: onnx.ModelProto) -> bool:
    """Whether the graph takes any number of inputs at once, by its own account; else just one."""
    return not _input(model).type.tensor_type.shape.dim[0].HasField("dim_value")


def _input(model: onnx.ModelProto) -> ValueInfoProto:
    """The only one; old files list their parameters as inputs too."""
    constants = {one.name for one in model.graph.initializer}
    given = [one for one in model.graph.input if one.name not in constants]
    if len(given) != 1:
        raise ValueError(f"the graph has {len(given)} inputs, not one")
    return given[0]


def _steps(form: PixelForm, made: str) -> tuple[list[NodeProto], list[TensorProto]]:
    """From `image` to what the network takes, with the constants of it."""
    # TensorRT does not transpose uint8.
    steps: list[tuple[str, np.ndarray | None, dict[str, Any]]] = [
        ("Cast", None, {"to": TensorProto.FLOAT}),
        ("Transpose", None, {"perm": [0, 3, 1, 2]}),
    ]
    if form.rgb:
        steps.append(("Gather", np.array([2, 1, 0]), {"axis": 1}))
    if any(form.mean):
        steps.append(("Sub", np.array(form.mean, np.float32).reshape(1, 3, 1, 1), {}))
    if set(form.scale) != {1.0}:
        steps.append(("Div", np.array(form.scale, np.float32).reshape(1, 3, 1, 1), {}))
    names = [INPUT, *(f"{INPUT}.{kind.lower()}" for kind, _, _ in steps[:-1]), made]
    nodes, constants = [], list[TensorProto]()
    for (kind, constant, attributes), given, result in zip(steps, names, names[1:], strict=False):
        inputs = [given]
        if constant is not None:
            inputs.append(f"{given}.{kind.lower()}")
            constants.append(numpy_helper.from_array(constant, inputs[1]))
        nodes.append(helper.make_node(kind, inputs, [result], **attributes))
    return nodes, constants
