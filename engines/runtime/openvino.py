"""Networks on the CPU, compiled by OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino as ov
from openvino.preprocess import PrePostProcessor

from engines.runtime.engine import Batch, Maps

_RAW = ov.PartialShape([-1, -1, -1, 3])  # any number of pictures of any size


class OpenVinoEngine:
    """An OpenVINO IR or ONNX graph, for batches of any size and shape.

    Args:
        graph: the `.xml` or `.onnx` file.
        outputs: our name of each output -> the graph's.
        threads: of the processor; 0 takes all its cores.
        max_batch: the most pictures a call takes. Larger batches gain almost nothing on a
            CPU, and every picture of a batch waits for the last one.
    """

    def __init__(
        self, graph: Path, outputs: Mapping[str, str], threads: int = 0, max_batch: int = 2
    ) -> None:
        self.max_batch = max_batch
        core = ov.Core()
        compiled = core.compile_model(
            _with_raw_input(core.read_model(graph)),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
                # Processors with bfloat16 would use it unasked, and a checkpoint would not
                # give its authors' numbers. What is int8 in the graph stays int8.
                "INFERENCE_PRECISION_HINT": "f32",
            },
        )
        self._request = compiled.create_infer_request()
        self._outputs = {ours: compiled.output(theirs) for ours, theirs in outputs.items()}

    def infer(self, batch: Batch) -> Maps:
        """Runs (N, h, w, 3) uint8 pictures; the outputs are copies."""
        self._request.infer([ov.Tensor(np.ascontiguousarray(batch), shared_memory=True)])
        return {
            name: self._request.get_tensor(port).data.astype(np.float32)
            for name, port in self._outputs.items()
        }

    def close(self) -> None:
        del self._request


def _with_raw_input(model: ov.Model) -> ov.Model:
    """The graph with (N, h, w, 3) uint8 input; graphs that were exported for us have it."""
    if model.input().element_type == ov.Type.u8:
        return model
    prepare = PrePostProcessor(model)
    prepare.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    prepare.input().model().set_layout(ov.Layout("NCHW"))
    model = prepare.build()
    model.reshape(_RAW)
    return model
