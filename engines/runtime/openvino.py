"""Networks on the CPU, compiled by OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.preprocess import ColorFormat, PrePostProcessor

from engines.catalog import Network
from engines.pixels import PixelForm
from engines.precision import Precision
from engines.runtime.engine import Batch, Maps, Pending
from engines.runtime.processor import container_cores

_ANY = ov.PartialShape([-1, -1, -1, 3])  # any number of pictures of any size


class OpenVinoEngine:
    """An OpenVINO IR or ONNX graph, for batches of any size, and pictures of any shape that the
    network can take.

    Args:
        graph: the `.xml` or `.onnx` file. One that does not take (N, h, w, 3) uint8 BGR pixels,
            as those exported here do, is given them in the network's own form.
        network: its outputs and pixels.
        threads: of the processor; 0 takes all its cores, or those of a container.
        max_batch: the most pictures a call takes. Larger batches gain almost nothing on a
            CPU, and every picture of a batch waits for the last one.
        precision: of the engine, as it is called.
        bfloat16: compute in bfloat16 what the graph has in float32; true for that precision.
    """

    name = "openvino"
    device = "cpu"
    ahead = 0

    def __init__(
        self,
        graph: Path,
        network: Network,
        threads: int = 0,
        max_batch: int = 2,
        precision: Precision = "fp32",
        *,
        bfloat16: bool = False,
    ) -> None:
        self.max_batch, self.precision = max_batch, precision
        bfloat16 = bfloat16 or precision == "bf16"
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads or container_cores() or 0,
            # Processors with bfloat16 would use it unasked, and a checkpoint would not
            # give its authors' numbers. What is int8 in the graph stays int8.
            "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        }
        model = core().read_model(graph)
        if network.pixels is not None and model.input().element_type != ov.Type.u8:
            model = _on_pixels(model, network.pixels)
            if _takes_batches(model):
                model.reshape(_ANY)
        self._one_by_one = model.input().partial_shape[0] == 1
        if bfloat16:
            _vary_weights(model)
        compiled = core().compile_model(model, "CPU", options)
        self._request = compiled.create_infer_request()
        self._outputs = _outputs(compiled, network.outputs)

    def infer(self, batch: Batch) -> Maps:
        """Runs (N, h, w, 3) uint8 pictures, or arrays; the outputs are copies."""
        if not self._one_by_one:
            return self._run(batch)
        runs = [self._run(batch[at : at + 1]) for at in range(len(batch))]
        return {name: np.concatenate([run[name] for run in runs]) for name in self._outputs}

    def start(self, batch: Batch) -> Pending:
        """Runs a batch at once: nothing is left to wait for."""
        maps = self.infer(batch)
        return lambda: maps

    def close(self) -> None:
        del self._request

    def _run(self, batch: Batch) -> Maps:
        self._request.infer([ov.Tensor(np.ascontiguousarray(batch), shared_memory=True)])
        return {
            name: self._request.get_tensor(port).data.astype(np.float32)
            for name, port in self._outputs.items()
        }


@cache
def core() -> ov.Core:
    """OpenVINO, of which a process has one for good.

    Each brings a plug-in for the processor, which gives the thread that first compiles with it a
    stack for signals, and when it goes puts back the one from before. If that was of a plug-in
    that went earlier, the next signal ends the process.
    """
    return ov.Core()


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def processor() -> str:
    """Its name."""
    return str(core().get_property("CPU", "FULL_DEVICE_NAME"))


def _on_pixels(model: ov.Model, pixels: PixelForm) -> ov.Model:
    """The graph with (N, h, w, 3) uint8 BGR input in place of (N, 3, h, w) floats."""
    prepare = PrePostProcessor(model)
    given = prepare.input().tensor()
    given.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    given.set_color_format(ColorFormat.BGR)
    steps = prepare.input().preprocess().convert_element_type(ov.Type.f32)
    if pixels.rgb:
        steps.convert_color(ColorFormat.RGB)
    if any(pixels.mean):
        steps.mean(list(pixels.mean))
    if set(pixels.scale) != {1.0}:
        steps.scale(list(pixels.scale))
    prepare.input().model().set_layout(ov.Layout("NCHW"))
    return prepare.build()


def _takes_batches(model: ov.Model) -> bool:
    """Whether two pictures of the model's size have two answers, by the graph's own account; else
    it is left as it was: its batch, and likely its size, are constants of it.

    It is not run to find out: where a batch is a constant inside, OpenVINO may write beyond it.
    """
    own = model.input().partial_shape
    height, width = (side.get_length() if side.is_static else 256 for side in list(own)[1:3])
    with suppress(RuntimeError):
        model.reshape(ov.PartialShape([2, height, width, 3]))
        if all(answer.partial_shape[0] == 2 for answer in model.outputs):
            return True
    model.reshape(own)
    return False


def _vary_weights(model: ov.Model) -> None:
    """Makes matrix products of weights and a map bfloat16: OpenVINO keeps a first operand in
    float32 if it is a constant, and then the product is. With zero added that depends on the
    input it is none. DEKR's two products take a tenth of its time otherwise.
    """
    products = [
        product.input(0)
        for product in model.get_ops()
        if product.get_type_name() == "MatMul" and _is_constant(product.input_value(0))
    ]
    if not products:
        return
    values = ops.reshape(model.get_parameters()[0], np.array([-1]), special_zero=False)
    first = ops.slice(values, np.array([0]), np.array([1]), np.array([1]))
    zero = ops.multiply(ops.convert(first, "f32"), np.zeros(1, np.float32))
    for weights in products:
        weights.replace_source_output(ops.add(weights.get_source_output(), zero).output(0))
    model.validate_nodes_and_infer_types()


def _is_constant(value: ov.Output) -> bool:
    """Whether it is one, in whatever shape or type."""
    node = value.get_node()
    if node.get_type_name() in {"Convert", "Reshape", "Transpose"}:
        return _is_constant(node.input_value(0))
    return bool(node.get_type_name() == "Constant")


def _outputs(compiled: ov.CompiledModel, names: Mapping[str, str]) -> dict[str, ov.ConstOutput]:
    """By our name; a graph's only output needs no name."""
    if len(names) == len(compiled.outputs) == 1:
        return dict(zip(names, compiled.outputs, strict=True))
    return {ours: compiled.output(theirs) for ours, theirs in names.items()}
