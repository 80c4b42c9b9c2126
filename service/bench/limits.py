"""The rate at which a machine multiplies matrices: what no network exceeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from engines.catalog import Network
from engines.precision import Precision
from engines.runtime.openvino import OpenVinoEngine
from service.bench.turns import Spell, repeated

_CHANNELS, _SIDE, _FEATURES, _LAYERS = 256, 64, 1024, 4
_GPU_SIDE, _GPU_PRODUCTS = 8192, 8  # of square matrices, and how many are queued at once


@dataclass(frozen=True, slots=True)
class Probe:
    """Work whose rate is a limit of a precision."""

    precision: str
    name: str
    spell: Spell
    gflop: float


def of_processor(precisions: Sequence[Precision], threads: int, folder: Path) -> list[Probe]:
    """3x3 convolutions of 256 channels, and matrix products, on OpenVINO.

    Args:
        precisions: one or more.
        threads: of the engines.
        folder: takes their graphs.
    """
    probes = []
    for precision in precisions:
        shapes = {"convolution": (1, _CHANNELS, _SIDE, _SIDE), "product": (_FEATURES, _FEATURES)}
        for name, shape in shapes.items():
            graph, macs = folder / f"{name}.{precision}.xml", _write(name, shape, precision, folder)
            about = Network(name, graph.name, {"mean": ""}, None)
            engine = OpenVinoEngine(graph, about, threads, precision=precision)
            given = np.random.default_rng(0).random(shape, np.float32)
            spell = repeated(partial(engine.infer, given))
            probes.append(Probe(precision, name, spell, 2 * macs / 1e9))
    return probes


def _write(name: str, shape: tuple[int, ...], precision: Precision, folder: Path) -> int:
    """A graph of several layers; gives its multiplications."""
    random = np.random.default_rng(0)
    kernel = (_CHANNELS, _CHANNELS, 3, 3) if name == "convolution" else (_FEATURES, _FEATURES)
    given = ops.parameter(shape, np.float32)
    values, macs = given, 0
    for _ in range(_LAYERS):
        weights = ops.constant(random.normal(0, 0.02, kernel).astype(np.float32))
        if precision == "int8":
            values, weights = _quantised(values, 0, 4, 256), _quantised(weights, -0.1, 0.1, 255)
        if name == "convolution":
            values = ops.convolution(values, weights, [1, 1], [1, 1], [1, 1], [1, 1])
        else:
            values = ops.matmul(values, weights, False, True)
        values = ops.relu(values)
        macs += int(np.prod(kernel)) * int(np.prod(shape)) // shape[1]
    # A small output: it is copied.
    mean = ops.reduce_mean(values, np.arange(1, len(shape)), keep_dims=True)
    ov.save_model(ov.Model([mean], [given]), folder / f"{name}.{precision}.xml", False)
    return macs


def _quantised(values: Any, low: float, high: float, levels: int) -> Any:
    bounds = [np.float32(bound) for bound in (low, high, low, high)]
    return ops.fake_quantize(values, *bounds, levels)


def of_gpu(device: str) -> list[Probe]:
    """Products of 8192x8192 matrices in PyTorch: in float32, and in bfloat16 for all others."""
    import torch  # noqa: PLC0415 - an extra

    def products(dtype: torch.dtype) -> Callable[[], None]:
        one, other = (
            torch.randn(_GPU_SIDE, _GPU_SIDE, device=device, dtype=dtype) for _ in range(2)
        )
        made = torch.empty_like(one)

        def work() -> None:
            for _ in range(_GPU_PRODUCTS):
                torch.mm(one, other, out=made)
            torch.cuda.synchronize(device)

        return work

    gflop = _GPU_PRODUCTS * 2 * _GPU_SIDE**3 / 1e9
    return [
        Probe(name, "product", repeated(products(dtype)), gflop)
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    ]
