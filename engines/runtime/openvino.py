"""Networks on the CPU, compiled by OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino as ov
from openvino.preprocess import ColorFormat, PrePostProcessor

from engines.catalog import Network
from engines.pixels import PixelForm
from engines.precision import Precision
from engines.runtime.engine import Batch, Maps, Pending

_ANY = ov.PartialShape([-1, -1, -1, 3])  # any number of pictures of any size


class OpenVinoEngine:
    """An OpenVINO IR or ONNX graph, for batches of any size, and pictures of any shape that the
    network can take.

    Args:
        graph: the `.xml` or `.onnx` file. One that does not take (N, h, w, 3) uint8 BGR pixels,
            as those exported here do, is given them in the network's own form.
        network: its outputs and pixels.
        threads: of the processor; 0 takes all its cores.
        max_batch: the most pictures a call takes. Larger batches gain almost nothing on a
            CPU, and every picture of a batch waits for the last one.
        precision: "bf16" computes in bfloat16 what the graph has in float32; any other takes
            the graph as it is.
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
    ) -> None:
        self.max_batch, self.precision = max_batch, precision
        core = ov.Core()
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # Processors with bfloat16 would use it unasked, and a checkpoint would not
            # give its authors' numbers. What is int8 in the graph stays int8.
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        }
        model = core.read_model(graph)
        self._one_by_one = False
        if network.pixels is None or model.input().element_type == ov.Type.u8:
            compiled = core.compile_model(model, "CPU", options)
        else:
            model = _on_pixels(model, network.pixels)
            own_shape = model.input().partial_shape
            # Else its batch, and likely its size, are constants of the graph.
            self._one_by_one = not _takes_batches(model, own_shape)
            model.reshape(own_shape if self._one_by_one else _ANY)
            compiled = core.compile_model(model, "CPU", options)
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


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16."""
    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def processor() -> str:
    """Its name."""
    return str(ov.Core().get_property("CPU", "FULL_DEVICE_NAME"))


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


def _takes_batches(model: ov.Model, shape: ov.PartialShape) -> bool:
    """Whether two pictures of that shape have two answers, by the graph's own account.

    It is not run to find out: where a batch is a constant inside, OpenVINO may write beyond it.
    """
    height, width = (side.get_length() if side.is_static else 256 for side in list(shape)[1:3])
    try:
        model.reshape(ov.PartialShape([2, height, width, 3]))
    except RuntimeError:
        return False
    return all(answer.partial_shape[0] == 2 for answer in model.outputs)


def _outputs(compiled: ov.CompiledModel, names: Mapping[str, str]) -> dict[str, ov.ConstOutput]:
    """By our name; a graph's only output needs no name."""
    if len(names) == len(compiled.outputs) == 1:
        return dict(zip(names, compiled.outputs, strict=True))
    return {ours: compiled.output(theirs) for ours, theirs in names.items()}
