"""`python -m tests.benchmarks.heads`: what decoding gains where a graph does parts of it.

Each head is a graph of its own on the maps that its system decodes, and takes turns with the
product's decoding, on OpenVINO. With `--whole`, networks are before them (with made-up parameters,
see `heads_case.Headed`): the network and the product's decoding against the network with each
head and what it leaves to NumPy; and where there is a GPU, the same in torch on it, the network in
half precision.

Processor time is that of all threads: on a machine that is shared it says more than the clock,
and where requests keep all cores busy it is what an image costs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import truediv
from pathlib import Path

import numpy as np
import openvino
import torch
from torch import nn

from service.threads import one_thread
from tests.benchmarks.heads_case import Case, Head, Maps, People, save, save_head, verdict
from tests.benchmarks.heads_multiposenet import multiposenet_resnet50
from tests.benchmarks.heads_openpose import lightweight, openpose_coco
from tests.benchmarks.heads_people import dekr_w32, hrnet

_THREADS = 2
CASES: Mapping[str, Callable[[], Case]] = {
    "lightweight-1": lambda: lightweight(1),
    "lightweight-4": lambda: lightweight(4),
    "lightweight-30": lambda: lightweight(30),
    "openpose-30": lambda: openpose_coco(30),
    "hrnet": lambda: hrnet(8),
    "hrnet-dark": lambda: hrnet(8, dark=True),
    "dekr": lambda: dekr_w32(20),
    "multiposenet": lambda: multiposenet_resnet50(9),
}
_HEADER = (
    f"{'':18} {'graph ms':>9} {'NumPy ms':>9} {'both ms':>9} {'CPU ms':>9} {'both':>6} {'CPU':>6} "
    f"{'KB':>5}  people"
)


@dataclass(slots=True)
class Variant:
    """A graph and what NumPy does after it; the times are milliseconds, one a turn."""

    head: Head
    run: Callable[[], Maps]
    graph: list[float] = field(default_factory=list)
    numpy: list[float] = field(default_factory=list)
    both: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    size: int = 0  # bytes that the graph gives
    found: People = ()

    def turn(self) -> None:
        """Runs once and keeps the times."""
        busy, began = time.process_time(), time.perf_counter()
        maps = self.run()
        ran = time.perf_counter()
        self.found = self.head.finish(maps)
        done = time.perf_counter()
        self.processor.append((time.process_time() - busy) * 1e3)
        self.graph.append((ran - began) * 1e3)
        self.numpy.append((done - ran) * 1e3)
        self.both.append((done - began) * 1e3)
        self.size = sum(one.nbytes for one in maps.values())


def main(names: Sequence[str], turns: int, precisions: Sequence[str], whole: bool) -> None:
    """Prints a table of each case on each engine."""
    torch.set_num_threads(_THREADS)
    for name in names or CASES:
        case = CASES[name]()
        with tempfile.TemporaryDirectory() as folder:
            graphs = _graphs(case, Path(folder), whole)
            for precision in precisions:
                variants = list(_on_openvino(case, graphs, precision, whole))
                _measure(variants, turns, f"{case.name}, {precision}")
        if whole and torch.cuda.is_available():
            _measure(list(_on_cuda(case)), turns, f"{case.name}, {torch.cuda.get_device_name()}")


def _measure(variants: Sequence[Variant], turns: int, title: str) -> None:
    """Prints medians, and those of ratios to the first variant's."""
    for turn in range(turns + 1):
        for variant in variants if turn % 2 else reversed(variants):
            variant.turn()
    plain, *_ = variants
    print(f"\n{title}\n{_HEADER}")
    for one in variants:
        times = [
            statistics.median(it[1:]) for it in (one.graph, one.numpy, one.both, one.processor)
        ]
        ratios = [
            statistics.median(map(truediv, ours[1:], theirs[1:]))
            for ours, theirs in ((one.both, plain.both), (one.processor, plain.processor))
        ]
        columns = [f"{it:9.2f}" for it in times] + [f"{it:6.2f}" for it in ratios]
        people = verdict(one.found, plain.found)
        print(f"{one.head.name:18} {' '.join(columns)} {one.size / 1e3:5.0f}  {people}", flush=True)


def _graphs(case: Case, folder: Path, whole: bool) -> dict[Head, Path]:
    """By head, without networks those alone that do anything."""
    graphs = {}
    for head in (case.plain, *case.heads) if whole else case.heads:
        graphs[head] = folder / f"{head.name}.onnx"
        if whole:
            torch.manual_seed(0)
            save(case.headed(head), graphs[head], head.outputs, case.multiple)
        else:
            save_head(head.module, graphs[head], case.maps, head.outputs)
    return graphs


def _on_openvino(
    case: Case, graphs: Mapping[Head, Path], precision: str, whole: bool
) -> Iterator[Variant]:
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": _THREADS,
        "INFERENCE_PRECISION_HINT": precision,
    }
    image = np.random.default_rng(0).integers(0, 256, (*case.shape, 3), np.uint8)
    maps = case.maps
    given = [image] if whole else list(maps.values())
    if not whole:
        yield Variant(case.plain, lambda: maps)
    for head, path in graphs.items():
        request = openvino.Core().compile_model(path, "CPU", options).create_infer_request()

        def run(
            request: openvino.InferRequest = request, outputs: Sequence[str] = head.outputs
        ) -> Maps:
            request.infer(given)
            return {name: request.get_tensor(name).data.copy() for name in outputs}

        yield Variant(head, run)


def _on_cuda(case: Case) -> Iterator[Variant]:
    """The times hold the copies of the pictures and of the outputs, and the wait for them."""
    pixels = torch.zeros((*case.shape, 3), dtype=torch.uint8).pin_memory()
    for head in (case.plain, *case.heads):
        torch.manual_seed(0)
        headed = case.headed(head, half=True).cuda()
        headed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        @torch.inference_mode()
        def run(headed: nn.Module = headed, outputs: Sequence[str] = head.outputs) -> Maps:
            made = [one.contiguous() for one in headed(pixels.cuda(non_blocking=True))]
            return {name: one.cpu().numpy() for name, one in zip(outputs, made, strict=True)}

        yield Variant(head, run)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--precisions", nargs="+", default=["f32", "bf16"])
    parser.add_argument("--whole", action="store_true", help="networks with heads")
    with one_thread():
        main(**vars(parser.parse_args()))
