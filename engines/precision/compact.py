"""ONNX graphs of float32 whose weights are stored as float16, in half the space."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_LEAST = 256  # values of a tensor that is worth a Cast; biases stay exact
_SUFFIX = ".stored"


def compact(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with float16 weights, each of which is cast to float32 before it is used.

    Raises:
        ValueError: a weight is beyond what float16 can hold.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    casts = []
    for tensor in made.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _LEAST:
            continue
        if np.abs(values).max() > np.finfo(np.float16).max:
            raise ValueError(f"{tensor.name} has values that float16 cannot hold")
        stored = f"{tensor.name}{_SUFFIX}"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def read(path: Path, *, weights: bool = True) -> onnx.ModelProto:
    """A graph with its weights as float32 once more, as what works on weights looks for them.

    Args:
        path: of any ONNX graph.
        weights: read those that lie in files beside it too.
    """
    model = onnx.load(os.fspath(path), load_external_data=weights)
    stored = {
        one.name: one for one in model.graph.initializer if one.data_type == TensorProto.FLOAT16
    }
    casts = [node for node in model.graph.node if _is_of(node, stored)]
    for node in casts:
        values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        model.graph.node.remove(node)
    used = {name for node in model.graph.node for name in node.input}
    for name in {node.input[0] for node in casts} - used:
        model.graph.initializer.remove(stored[name])
    return model


def _is_of(node: onnx.NodeProto, stored: dict[str, TensorProto]) -> bool:
    """Whether it casts a stored weight to float32."""
    if node.op_type != "Cast" or node.input[0] not in stored:
        return False
    return any(one.name == "to" and one.i == TensorProto.FLOAT for one in node.attribute)
