"""Post-training quantisation of graphs to int8, by NNCF."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino as ov
from onnx import TensorProto, numpy_helper

from engines.catalog import Network
from engines.precision.compact import read
from engines.precision.islands import QUANTISERS, last_weighted_nodes, unquantised_nodes
from engines.raw_pixels import on_pixels
from engines.runtime.engine import Batch

# Inputs to fit to, for the time that they take.
MOST_INPUTS = 64
_OPSET = 18  # of graphs that come in one without scales for each channel
_OPSET_OF_CHANNELS = 13


def quantise_ir(
    graph: Path,
    network: Network,
    batches: Sequence[Batch],
    target: Path,
    *,
    careful: bool = False,
) -> None:
    """Writes a graph as OpenVINO IR whose convolutions and matrix products are int8.

    Activations that may be negative get a zero point of their own. The IR takes raw pixels, or
    arrays, and as many at once as the graph.

    Args:
        graph: ONNX, in float32.
        network: of the graph.
        batches: what the network is given, as engines are; of up to `MOST_INPUTS` inputs.
        target: the `.xml`; its `.bin` is written beside it.
        careful: fit ranges to histograms and correct biases, which takes longer than extremes
            alone, leave the convolutions that make the outputs in float, and simplify the graph
            before. For a narrow network, that is made once and used everywhere.

    Raises:
        ModuleNotFoundError: there is no NNCF.
        ValueError: the graph is not ONNX, or there are no inputs.
    """
    model = _read(graph, network)
    inputs, skipped = _inputs(batches), _skipped(model, ends=careful)
    with _nncf() as nncf:
        quantised = nncf.quantize(
            _simplified(model) if careful else ov.Core().read_model(model.SerializeToString()),
            nncf.Dataset(inputs),
            subset_size=len(inputs),
            preset=nncf.QuantizationPreset.MIXED,
            **_options(nncf, skipped, careful=careful),
        )
    try:
        ov.save_model(quantised, target, compress_to_fp16=False)
    except RuntimeError as error:  # a full disk, say
        raise OSError(f"{target} cannot be written: {error}") from error


def quantise_onnx(model: onnx.ModelProto, batches: Sequence[Batch]) -> onnx.ModelProto:
    """The graph with explicit quantisation, as TensorRT takes it: QuantizeLinear and
    DequantizeLinear, all of them symmetric and of signed int8, weights by channel.

    Args:
        model: in float32, of one input; its nodes without a name get one.
        batches: as for `quantise_ir`.

    Raises:
        ModuleNotFoundError: there is no NNCF or no ONNX Runtime.
        ValueError: there are no inputs.
    """
    if min(one.version for one in model.opset_import if not one.domain) < _OPSET_OF_CHANNELS:
        model = onnx.version_converter.convert_version(model, _OPSET)
    inputs, skipped = _inputs(batches), _skipped(model)
    given = model.graph.input[0].name
    with _nncf() as nncf:
        quantised = nncf.quantize(
            model,
            nncf.Dataset([{given: one} for one in inputs]),
            subset_size=len(inputs),
            preset=nncf.QuantizationPreset.PERFORMANCE,
            **_options(nncf, skipped),
        )
    return _signed(quantised)


def _read(graph: Path, network: Network) -> onnx.ModelProto:
    if graph.suffix != ".onnx":
        raise ValueError(f"{graph} is not ONNX: bring the model as ONNX, or leave it as it is")
    model = read(graph)
    return model if network.pixels is None else on_pixels(model, network.pixels)


def _simplified(model: onnx.ModelProto) -> ov.Model:
    """A graph without what an engine would do to it before it runs: NNCF then sees a ReLU6 as one,
    and the IR is half as long."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        return ov.convert_model(path)


def _inputs(batches: Sequence[Batch]) -> list[Batch]:
    """Up to `MOST_INPUTS` inputs, evenly from all batches, each a batch of one."""
    inputs = [batch[at : at + 1] for batch in batches for at in range(len(batch))]
    if not inputs:
        raise ValueError("int8 is fitted to inputs, and there are none: choose other pictures")
    if len(inputs) <= MOST_INPUTS:
        return inputs
    return [inputs[at] for at in np.linspace(0, len(inputs) - 1, MOST_INPUTS).round().astype(int)]


def _skipped(model: onnx.ModelProto, *, ends: bool = False) -> list[str]:
    """Names of the nodes that stay as they are, in ONNX and in OpenVINO, where a convolution whose
    bias is apart has one of its own, and what makes an output has the output's; every node gets a
    name. With `ends` the last weighted nodes are among them.
    """
    for index, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    nodes = [*unquantised_nodes(model), *(last_weighted_nodes(model) if ends else ())]
    nodes = [node for node in nodes if node.op_type != "Constant"]
    outputs = {output.name for output in model.graph.output}
    names = [node.name for node in nodes]
    made = [name for node in nodes for name in node.output if name in outputs]
    return [*names, *(f"{name}/WithoutBiases" for name in names), *made]


def _options(nncf: Any, skipped: list[str], *, careful: bool = False) -> dict[str, Any]:
    """Those of either kind. Correcting biases takes time, and changes narrow networks alone."""
    advanced = nncf.AdvancedQuantizationParameters(disable_bias_correction=not careful)
    if careful:
        ranges = nncf.quantization.range_estimator.RangeEstimatorParametersSet
        advanced.activations_range_estimator_params = ranges.HISTOGRAM
    return {
        "ignored_scope": nncf.IgnoredScope(names=skipped, validate=False),
        "advanced_parameters": advanced,
    }


def _signed(model: onnx.ModelProto) -> onnx.ModelProto:
    """In place, int8 for uint8: of values that are never negative, NNCF takes 0 to 255."""
    tensors = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in QUANTISERS:
            scale, zero = tensors[node.input[1]], tensors[node.input[2]]
            if zero.data_type == TensorProto.UINT8:  # else int8, or done: others share it
                _assign(zero, numpy_helper.to_array(zero).astype(np.int8))
                _assign(scale, numpy_helper.to_array(scale) * np.float32(255 / 127))
    del model.graph.value_info[:]  # it says uint8
    return model


def _assign(tensor: TensorProto, values: np.ndarray) -> None:
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


@contextlib.contextmanager
def _nncf() -> Iterator[Any]:
    """The library, without what it says, draws and would report to its makers."""
    os.environ.setdefault("NNCF_CI", "1")  # read by its import: else it sends usage statistics
    loggers = logging.getLoggerClass()
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        import nncf  # noqa: PLC0415 - an extra, and slow

        logging.setLoggerClass(loggers)  # it sets its own for everybody
        logging.getLogger("nncf").setLevel(logging.ERROR)
        yield nncf
