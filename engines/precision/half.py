"""ONNX graphs of float32 in half precision, for engines that take a graph's types as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import ml_dtypes
import numpy as np
import onnx
from onnx import AttributeProto, NodeProto, TensorProto, helper, numpy_helper

from engines.precision.islands import QUANTISERS, float_values, half_nodes

_OPSET_OF_HALF_SCALES = 19  # of the quantisers
# Operators that have inputs of another kind than their data: these are data.
_DATA = {"Resize": (0,), "Upsample": (0,)}
# By operator, the input that must not be rounded to 0.
_DIVISORS = {"Div": 1, "QuantizeLinear": 1, "DequantizeLinear": 1}
_TYPES: Mapping[str, tuple[int, Any]] = {
    "fp16": (TensorProto.FLOAT16, np.float16),
    "bf16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
}


def to_half(model: onnx.ModelProto, precision: Literal["fp16", "bf16"]) -> onnx.ModelProto:
    """The same graph with its work in half precision, for strongly typed TensorRT networks.

    Inputs and outputs keep names, types and free sizes. `engines.precision.islands` says what
    stays float32. bfloat16 goes into operators that ONNX has it for from opset 22 only: TensorRT
    reads them in any opset, and of later ones it does not read every operator rightly.

    onnxconverter-common knows no bfloat16, and leaves out operators, not what leads to them;
    nvidia-modelopt brings a dozen large packages for this.

    Args:
        model: in float32, with its data; QuantizeLinear and DequantizeLinear get half scales.
        precision: of the result.

    Raises:
        ValueError: a constant does not fit the type, or the graph has control flow.
    """
    _refuse_control_flow(model)
    constants = {one.name: one for one in _constants(model.graph)}
    floats = float_values(model)
    nodes = [node for node in model.graph.node if node.output[0] not in constants]
    work = half_nodes(nodes, floats)
    writer = _Writer(precision, floats, constants)
    for index, node in enumerate(nodes):
        writer.write(node, index in work)
    for output in model.graph.output:
        writer.value(output.name, half=False)
    return _model(model, writer)


def _refuse_control_flow(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if any(one.type in {AttributeProto.GRAPH, AttributeProto.GRAPHS} for one in node.attribute):
            raise ValueError(f"a graph with control flow ({node.op_type}) cannot be made half")


def _constants(graph: onnx.GraphProto) -> Iterable[TensorProto]:
    """Initializers, and the tensors of Constant nodes under the names of their values."""
    yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = TensorProto()
            tensor.CopyFrom(node.attribute[0].t)
            tensor.name = node.output[0]
            yield tensor


@dataclass(slots=True)
class _Writer:
    """Writes nodes that take and give values of either type; a half value has a name of its own.

    Args:
        precision: of the half values.
        floats: the values that were float32.
        constants: by name.
    """

    precision: str
    floats: set[str]
    constants: Mapping[str, TensorProto]
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)
    half: set[str] = field(default_factory=set)  # made in half
    cast: set[str] = field(default_factory=set)  # written in the other type as well

    def write(self, node: NodeProto, half: bool) -> None:
        """A node that works in half precision, or in what it did."""
        written = NodeProto()
        written.CopyFrom(node)
        data = _DATA.get(node.op_type, range(len(node.input)))
        for at, name in enumerate(node.input):
            rounded = half and at in data
            if rounded and _DIVISORS.get(node.op_type) == at:
                self._refuse_zeros(name)
            written.input[at] = self.value(name, rounded)
        if half:
            made = self.floats.intersection(node.output)
            self.half |= made
            names = [self._name(name, name in made) for name in node.output]
            written.ClearField("output")
            written.output.extend(names)
        self.nodes.append(written)

    def value(self, name: str, half: bool) -> str:
        """The name of a value in one type or the other, which is written if it was not yet."""
        half = half and name in self.floats
        named = self._name(name, half)
        if name in self.constants:
            if named not in self.initializers:
                tensor = self.constants[name]
                self.initializers[named] = self._rounded(tensor) if half else tensor
        elif half != (name in self.half) and named not in self.cast:
            kind = _TYPES[self.precision][0] if half else TensorProto.FLOAT
            given = self._name(name, not half)
            self.nodes.append(helper.make_node("Cast", [given], [named], to=kind))
            self.cast.add(named)
        return named

    def _name(self, name: str, half: bool) -> str:
        return f"{name}.{self.precision}" if half else name

    def _rounded(self, tensor: TensorProto) -> TensorProto:
        values = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore", under="ignore"):
            rounded = values.astype(_TYPES[self.precision][1])
        if not np.array_equal(np.isfinite(values), np.isfinite(rounded)):
            most = np.abs(values[np.isfinite(values)]).max()
            raise ValueError(f"{tensor.name} has {most:g}, which is infinite in {self.precision}")
        return numpy_helper.from_array(rounded, self._name(tensor.name, half=True))

    def _refuse_zeros(self, name: str) -> None:
        if name in self.constants:
            values = numpy_helper.to_array(self.constants[name])
            if not np.all(values.astype(_TYPES[self.precision][1])):
                least = np.abs(values).min()
                raise ValueError(f"{name} has {least:g}, a divisor that is 0 in {self.precision}")


def _model(model: onnx.ModelProto, writer: _Writer) -> onnx.ModelProto:
    """What was written, as that model was."""
    given = [one for one in model.graph.input if one.name not in writer.constants]
    graph = helper.make_graph(
        writer.nodes,
        model.graph.name,
        given,
        model.graph.output,
        list(writer.initializers.values()),
    )
    made = helper.make_model(graph, ir_version=model.ir_version, opset_imports=model.opset_import)
    made.producer_name = model.producer_name
    if any(node.op_type in QUANTISERS for node in writer.nodes):
        (plain,) = (one for one in made.opset_import if not one.domain)
        plain.version = max(plain.version, _OPSET_OF_HALF_SCALES)
    return made
