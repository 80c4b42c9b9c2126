"""`python -m tests.benchmarks.heads_rtx`: how long TensorRT-RTX builds networks with heads.

It builds without a GPU. Its time is the processor's, as machines are shared.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tensorrt_rtx as trt

from service.threads import one_thread
from tests.benchmarks.heads import CASES
from tests.benchmarks.heads_case import save

Shape = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Built:
    """What a build took and came to.

    Attributes:
        seconds: of the processor, all threads; on an idle machine about as many pass.
        megabytes: of the engine.
        outputs: types by name.
    """

    seconds: float
    megabytes: float
    outputs: dict[str, str]


def build(graph: Path, shapes: tuple[Shape, Shape, Shape]) -> Built:
    """Parses and builds a graph of pixels.

    Args:
        graph: whose input `image` is (N, h, w, 3).
        shapes: the least, usual and largest N, h, w.

    Raises:
        ValueError: it is refused; with the parser's reasons, if it has any.
    """
    began = time.process_time()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph.read_bytes()):
        reasons = (parser.get_error(index).desc() for index in range(parser.num_errors))
        raise ValueError("; ".join(reasons))
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    profile.set_shape("image", *((*shape, 3) for shape in shapes))
    config.add_optimization_profile(profile)
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM89, 0)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ValueError(f"{graph.name} is parsed, but no engine comes of it")
    outputs = (network.get_output(index) for index in range(network.num_outputs))
    return Built(
        time.process_time() - began,
        engine.nbytes / 1e6,
        {output.name: output.dtype.name for output in outputs},
    )


def main(names: Sequence[str]) -> None:
    """Prints a line for each head and precision."""
    for name in names or CASES:
        case = CASES[name]()
        count, height, width = case.shape
        small = 4 * case.multiple
        shapes = (1, small, small), case.shape, (8 * count, 2 * height, 2 * width)
        for head in (case.plain, *case.heads):
            for half in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / "graph.onnx"
                    save(case.headed(head, half=half), path, head.outputs, case.multiple)
                    outcome = _outcome(path, shapes)
                title = f"{case.name}, {head.name}, {'fp16' if half else 'fp32'}"
                print(f"{title:58} {outcome}", flush=True)


def _outcome(path: Path, shapes: tuple[Shape, Shape, Shape]) -> str:
    try:
        built = build(path, shapes)
    except ValueError as refused:
        return f"refused: {refused}"
    return f"{built.seconds:5.1f} s {built.megabytes:6.1f} MB"


if __name__ == "__main__":
    with one_thread():
        main(sys.argv[1:])
