"""ONNX graphs of float32 whose weights are stored as int8, in a quarter of the space."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.geometry import Floats

_LEAST = 256  # values of a tensor that is worth a node; biases stay exact
_LARGEST = 127
_SUFFIX, _STEP = ".stored", ".step"


def compact(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with weights of int8, each of which is made float32 before it is used.

    Every output channel has a step of its own, so that a weight is off by 1/254 of its channel's
    largest at most. All else is computed as before.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    large = [one for one in made.graph.initializer if _is_large(one)]
    nodes = []
    for tensor in large:
        name, values = tensor.name, numpy_helper.to_array(tensor)
        stored, steps = _rounded(values)
        tensor.CopyFrom(numpy_helper.from_array(stored, f"{name}{_SUFFIX}"))
        made.graph.initializer.append(numpy_helper.from_array(steps, f"{name}{_STEP}"))
        given = [f"{name}{_SUFFIX}", f"{name}{_STEP}"]
        nodes.append(helper.make_node("DequantizeLinear", given, [name], axis=0))
    nodes += made.graph.node
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
    held = {one.name: one for one in model.graph.initializer}
    for node in [node for node in model.graph.node if _is_of(node)]:
        stored, steps = (held[name] for name in node.input)
        values = _float(numpy_helper.to_array(stored), numpy_helper.to_array(steps))
        model.graph.node.remove(node)
        for tensor in (stored, steps):
            model.graph.initializer.remove(tensor)
        model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
    return model


def _is_large(tensor: TensorProto) -> bool:
    values = np.prod(tensor.dims, dtype=int)
    return tensor.data_type == TensorProto.FLOAT and len(tensor.dims) > 1 and values >= _LEAST


def _rounded(values: Floats) -> tuple[np.ndarray, Floats]:
    """int8 values, and the step of each of the first dimension."""
    largest = np.abs(values).max(axis=tuple(range(1, values.ndim)))
    steps = np.where(largest > 0, largest / np.float32(_LARGEST), 1).astype(np.float32)
    return np.rint(values / _along(steps, values.ndim)).astype(np.int8), steps


def _float(stored: np.ndarray, steps: Floats) -> Floats:
    return stored.astype(np.float32) * _along(steps, stored.ndim)


def _along(steps: Floats, dimensions: int) -> Floats:
    return steps.reshape(-1, *[1] * (dimensions - 1))


def _is_of(node: onnx.NodeProto) -> bool:
    """Whether it makes a weight that `compact` has stored; not one of another quantised graph."""
    return bool(node.op_type == "DequantizeLinear" and node.input[0].endswith(_SUFFIX))
