"""Which parts of an ONNX graph bear no other numbers than float32."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import onnx

# What does a network's work: half precision and int8 begin here.
WEIGHTED = frozenset({"Conv", "ConvTranspose", "DeformConv", "Einsum", "Gemm", "MatMul"})
QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear"})
# By operator, the inputs that must be exact all the way from the weighted operator that makes
# them: probabilities of thousands are below float16's normal range, and positions on a map are
# beyond bfloat16's eight bits.
_EXACT = {"Softmax": (0,), "LogSoftmax": (0,), "GridSample": (1,)}
# What gives float32, or takes it, whatever it is given: these are exact, their inputs need not be.
_FIXED = frozenset({"Cast", "NonMaxSuppression", "Range"})


def float_values(model: onnx.ModelProto) -> set[str]:
    """The values of a graph that are float32."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = (*graph.input, *graph.value_info, *graph.output)
    types = {one.name: one.type.tensor_type.elem_type for one in values}
    types |= {one.name: one.data_type for one in graph.initializer}
    return {name for name, kind in types.items() if kind == onnx.TensorProto.FLOAT}


def exact_nodes(nodes: Sequence[onnx.NodeProto]) -> set[int]:
    """Indices of the nodes that stay float32 between others that do not.

    Those are softmaxes and samplers, and all that is between them and the convolutions and
    matrix products before them: the sampling positions of DEKR, the sum that the Pose Residual
    Network takes its probabilities of.
    """
    makers = {made: index for index, node in enumerate(nodes) for made in node.output}
    found = {index for index, node in enumerate(nodes) if node.op_type in _FIXED}
    for index, node in enumerate(nodes):
        if node.op_type in _EXACT:
            found.add(index)
            given = [node.input[at] for at in _EXACT[node.op_type]]
            found |= _between(nodes, makers, given)
    return found


def _between(
    nodes: Sequence[onnx.NodeProto], makers: dict[str, int], values: Iterable[str]
) -> set[int]:
    """What makes those values, back to weighted operators, which do not belong to it."""
    found: set[int] = set()
    waiting = list(values)
    while waiting:
        index = makers.get(waiting.pop())
        if index is not None and index not in found and not _ends(nodes[index]):
            found.add(index)
            waiting += nodes[index].input
    return found


def _ends(node: onnx.NodeProto) -> bool:
    return node.op_type in WEIGHTED or node.op_type in QUANTISERS


def half_nodes(nodes: Sequence[onnx.NodeProto], floats: set[str]) -> set[int]:
    """Indices of the nodes that half precision does, in a graph in topological order.

    It begins at the first convolutions and matrix products, so that pixels and shapes are
    exact before them, flows from there, and ends where `exact_nodes` begin.

    Args:
        nodes: of the graph.
        floats: its values that are float32.
    """
    exact, found, half = exact_nodes(nodes), set(), set[str]()
    for index, node in enumerate(nodes):
        if index not in exact and (_ends(node) or not half.isdisjoint(node.input)):
            found.add(index)
            half.update(floats.intersection(node.output))
    return found


def unquantised_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The nodes that int8 leaves alone: all but convolutions of several channels, matrix products,
    and the sums of residual blocks.

    Depthwise convolutions wait for memory: OpenVINO computes them in float whatever they are.

    A convolution adds the other branch of a block itself if that is int8 too, which makes HRNet
    an eighth faster, and costs PP-TinyPose 0.02 to 0.05 of its AP. What else is between
    convolutions, such as the products and sigmoids of attention, is cheap, and left.

    NNCF takes the first operand of a matrix product for its activations. Where it holds weights,
    as in the deformable convolutions of DEKR, the product is a fortieth of the network's work
    and left alone as well.
    """
    varying, sums = _varying(model), _residual_sums(model)
    kernels = {one.name: tuple(one.dims) for one in model.graph.initializer}
    return [
        node
        for node in model.graph.node
        if not (
            node.output[0] in sums
            or (node.op_type == "MatMul" and node.input[0] in varying)
            or (node.op_type in WEIGHTED - {"MatMul"} and not _is_depthwise(node, kernels))
        )
    ]


def last_weighted_nodes(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The convolutions and matrix products after which there is no other on the way to an
    output."""
    nodes = model.graph.node
    makers = {made: node for node in nodes for made in node.output}
    found, seen = [], set[str]()
    waiting = [output.name for output in model.graph.output]
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.output[0] in seen:
            continue
        seen.add(node.output[0])
        if node.op_type in WEIGHTED:
            found.append(node)
        else:
            waiting += node.input
    return found


def _is_depthwise(node: onnx.NodeProto, kernels: Mapping[str, Sequence[int]]) -> bool:
    """Whether a convolution's every output is of one channel of a map of many."""
    groups = max((one.i for one in node.attribute if one.name == "group"), default=1)
    return groups > 1 and kernels.get(node.input[1], (0, 0))[1] == 1


def _residual_sums(model: onnx.ModelProto) -> set[str]:
    """Outputs of the additions that lead to a ReLU by nothing but further ones."""
    sums: set[str] = set()
    led = {node.input[0] for node in model.graph.node if node.op_type == "Relu"}
    for node in reversed(model.graph.node):
        if node.op_type == "Add" and node.output[0] in led:
            sums.add(node.output[0])
            led.update(node.input)
    return sums


def _varying(model: onnx.ModelProto) -> set[str]:
    """The values that depend on what the graph is given."""
    constants = {one.name for one in model.graph.initializer}
    varying = {one.name for one in model.graph.input} - constants
    for node in model.graph.node:
        if not varying.isdisjoint(node.input):
            varying.update(node.output)
    return varying
