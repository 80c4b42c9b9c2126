"""`python -m tests.benchmarks.dekr_fusion`: what fusing DEKR's adaptive blocks gains.

DEKR-W32 with made-up parameters, unfused and fused, in torch and exported to OpenVINO with
sampling for its deformable convolutions. All four take turns, in an order that turns round each
time, so that a machine's drift touches all.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import numpy as np
import openvino
import torch
from torch import nn

from engines.export import export
from engines.networks.dekr import AdaptiveBlock, Dekr
from engines.networks.dekr_fused import fuse

_THREADS = 2
_MEAN, _SCALE = 127.5, 58.0
_OUTPUTS = ["heatmaps", "offsets"]


@dataclass(slots=True)
class Variant:
    """One of the four, and what was measured of it."""

    name: str
    run: Callable[[], list[np.ndarray]]
    about: str = ""
    times: list[float] = field(default_factory=list)  # milliseconds


def main(height: int, width: int, turns: int) -> None:
    """Prints a line of each, the ones of graphs with what they hold and how long they take."""
    torch.set_num_threads(_THREADS)
    dekr = _made_up()
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    variants = []
    with tempfile.TemporaryDirectory() as folder:
        for name, network in (("unfused", dekr), ("fused", fuse(dekr))):
            variants.append(_in_torch(name, network, image))
            variants.append(_on_openvino(name, network, image, Path(folder) / f"{name}.onnx"))
    expected = variants[0].run()
    for turn in range(turns):
        for variant in variants if turn % 2 else reversed(variants):
            began = time.perf_counter()
            variant.run()
            variant.times.append((time.perf_counter() - began) * 1e3)
    print(f"{'':18} {'median ms':>9} {'least ms':>8} {'difference':>10}")
    for variant in sorted(variants, key=lambda variant: variant.name):
        median, least = statistics.median(variant.times), min(variant.times)
        difference = _difference(variant.run(), expected)
        line = f"{variant.name:18} {median:9.0f} {least:8.0f} {difference:10.1e}  {variant.about}"
        print(line.rstrip())


def _made_up() -> Dekr:
    torch.manual_seed(0)
    dekr = Dekr(32, 17).eval()
    for module in dekr.modules():
        if isinstance(module, AdaptiveBlock):  # as trained: near the regular grid
            nn.init.normal_(module.transform_matrix_conv.weight, std=0.02)
            module.transform_matrix_conv.load_state_dict(
                {"bias": torch.tensor([1.0, 0.0, 0.0, 1.0])}, strict=False
            )
    return dekr


def _in_torch(name: str, network: nn.Module, image: np.ndarray) -> Variant:
    x = torch.from_numpy(image).permute(0, 3, 1, 2).float()

    @torch.inference_mode()
    def run() -> list[np.ndarray]:
        return [made.numpy() for made in network((x - _MEAN) / _SCALE)]

    return Variant(f"torch, {name}", run)


def _on_openvino(name: str, network: nn.Module, image: np.ndarray, path: Path) -> Variant:
    began = time.perf_counter()
    export(network, path, mean=[_MEAN] * 3, scale=[_SCALE] * 3, outputs=_OUTPUTS, multiple=64)
    exported = time.perf_counter()
    core = openvino.Core()
    model = core.read_model(path)
    options = {"INFERENCE_NUM_THREADS": _THREADS, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(
        model, "CPU", {**options, "PERFORMANCE_HINT": "LATENCY", "PERF_COUNT": True}
    )
    ready = time.perf_counter()
    request = compiled.create_infer_request()

    def run() -> list[np.ndarray]:
        request.infer([image])
        return [request.get_tensor(compiled.output(output)).data.copy() for output in _OUTPUTS]

    run()
    about = (
        f"{len(model.get_ops())} nodes, {exported - began:.0f} s to export, "
        f"{ready - exported:.1f} s to compile, {_share(request):.0%} of the time in GridSample"
    )
    return Variant(f"OpenVINO, {name}", run, about)


def _share(request: openvino.InferRequest) -> float:
    """GridSample's part of the last run's time."""
    took: Counter[str] = Counter()
    for layer in request.get_profiling_info():
        took[layer.node_type] += layer.real_time / timedelta(microseconds=1)
    return took["GridSample"] / took.total()


def _difference(made: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest of all outputs, of each one's largest value."""
    pairs = zip(made, expected, strict=True)
    return float(max(np.abs(ours - theirs).max() / np.abs(theirs).max() for ours, theirs in pairs))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--turns", type=int, default=9)
    main(**vars(parser.parse_args()))
