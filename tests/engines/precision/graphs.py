"""Small ONNX graphs, written as text, and OpenVINO to run them."""

from __future__ import annotations

import numpy as np
import onnx
import openvino
from onnx import numpy_helper

PIXELS = "(uint8[n, h, w, 3] image) => (float[n, k, y, x] made)"
NORMALISED = """
    seen = Cast <to = 1> (image)
    channels = Transpose <perm = [0, 3, 1, 2]> (seen)
    given = Sub (channels, mean)
"""


def graph(signature: str, nodes: str, **constants: np.ndarray) -> onnx.ModelProto:
    """A graph of opset 18 with those nodes and initializers."""
    text = f'<ir_version: 10, opset_import: ["" : 18]> small {signature} {{{nodes}}}'
    model = onnx.parser.parse_model(text)
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: onnx.ModelProto, given: np.ndarray) -> np.ndarray:
    """Its only output, computed in the numbers that the graph says."""
    compiled = openvino.Core().compile_model(
        openvino.Core().read_model(model.SerializeToString()),
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1},
    )
    made: np.ndarray = compiled([given])[0]
    return made


def types(model: onnx.ModelProto) -> dict[str, int]:
    """The type of each value; bfloat16 is told from what casts and constants say."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = (*inferred.input, *inferred.value_info, *inferred.output)
    found = {one.name: one.type.tensor_type.elem_type for one in values}
    return found | {one.name: one.data_type for one in model.graph.initializer}


def pictures(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)


def weights(*shape: int) -> np.ndarray:
    drawn = np.random.default_rng(1).standard_normal(shape)
    return np.asarray(drawn / np.sqrt(np.prod(shape[1:])), np.float32)
