from __future__ import annotations

from typing import Any

import pytest

from engines.catalog import find
from engines.precision import Precision
from engines.runtime.auto import Available, Candidate, EngineError, choose
from engines.runtime.gpus import Gpu
from engines.runtime.options import EngineOptions

HRNET, INT8, TINY = (
    find(name) for name in ("hrnet-w32-256x192", "lightweight-openpose-int8", "pp-tinypose-256x192")
)
ADA = Gpu(0, "NVIDIA L4", "GPU-1", (8, 9), "580.1", 24 << 30)
TURING = Gpu(1, "NVIDIA T4", "GPU-2", (7, 5), "580.1", 16 << 30)
SMALL = find("posewire-small")  # int8, with its float32 graph beside it
LAPTOP = Available(no_gpus="no NVIDIA driver", bfloat16=True)
SERVER = Available((ADA,))


def chosen(model: Candidate, available: Available, **options: Any) -> tuple[str, str, int]:
    choice = choose(model, available, EngineOptions(**options))
    return choice.backend, choice.precision, len(choice.gpus)


@pytest.mark.parametrize(
    ("model", "available", "expected"),
    [
        (Candidate(HRNET, checkpoint=True), SERVER, ("tensorrt", "fp16", 1)),
        (Candidate(HRNET, checkpoint=True), Available((ADA, TURING)), ("tensorrt", "fp16", 2)),
        (
            Candidate(HRNET, checkpoint=True),
            Available((ADA,), absent={"tensorrt": "tensorrt is not installed"}),
            ("torch", "fp16", 1),
        ),
        (Candidate(HRNET, checkpoint=True), LAPTOP, ("openvino", "fp32", 0)),
        (Candidate(TINY, checkpoint=False), SERVER, ("tensorrt", "fp16", 1)),
        (Candidate(INT8, checkpoint=False), SERVER, ("openvino", "int8", 0)),
        (Candidate(INT8, checkpoint=False), LAPTOP, ("openvino", "int8", 0)),
        (Candidate(SMALL, checkpoint=False), SERVER, ("tensorrt", "fp16", 1)),
        (Candidate(SMALL, checkpoint=False), LAPTOP, ("openvino", "int8", 0)),
    ],
)
def test_tensorrt_comes_before_torch_on_cuda_before_openvino(
    model: Candidate, available: Available, expected: tuple[str, str, int]
) -> None:
    assert chosen(model, available) == expected


def test_the_choice_says_why_the_faster_ones_are_not_taken() -> None:
    choice = choose(Candidate(HRNET, checkpoint=True), LAPTOP, EngineOptions())
    assert choice.why == "not tensorrt or torch (no NVIDIA driver)"
    without = Available((ADA,), absent={"tensorrt": "libnvinfer.so.11 is missing"})
    choice = choose(Candidate(HRNET, checkpoint=False), without, EngineOptions())
    assert choice.backend == "openvino"
    assert "tensorrt (libnvinfer.so.11 is missing)" in choice.why
    assert "torch (no checkpoint of hrnet-w32-256x192 was imported)" in choice.why


def test_torch_has_no_int8_so_that_a_processor_takes_it() -> None:
    model = Candidate(HRNET, checkpoint=True)
    without = Available((ADA,), absent={"tensorrt": "tensorrt is not installed"})
    assert chosen(model, without, precision="int8") == ("openvino", "int8", 0)
    assert chosen(model, SERVER, precision="int8") == ("tensorrt", "int8", 1)


@pytest.mark.parametrize(
    ("available", "options", "reason"),
    [
        (LAPTOP, {"backend": "tensorrt"}, "no NVIDIA driver"),
        (LAPTOP, {"backend": "openvino", "precision": "fp16"}, "choose bf16, int8 or fp32"),
        (Available(), {"precision": "bf16"}, "no bfloat16: choose int8 or fp32"),
        (Available((TURING,)), {"backend": "tensorrt", "precision": "bf16"}, "choose fp16 or fp32"),
        (SERVER, {"backend": "torch", "precision": "int8"}, "choose fp16, bf16 or fp32"),
    ],
)
def test_what_cannot_run_as_asked_for_says_what_to_choose(
    available: Available, options: dict[str, Any], reason: str
) -> None:
    with pytest.raises(EngineError, match=reason) as error:
        choose(Candidate(HRNET, checkpoint=True), available, EngineOptions(**options))
    assert HRNET.name in str(error.value)


def test_what_only_builds_needs_no_gpu_if_its_tensorrt_does_not() -> None:
    model = Candidate(HRNET, checkpoint=True, elsewhere=True)
    options = EngineOptions(backend="tensorrt")
    choice = choose(model, Available(builds_without_gpu=True), options)
    assert (choice.backend, choice.gpus) == ("tensorrt", ())
    with pytest.raises(EngineError, match="no NVIDIA GPU"):
        choose(model, Available(), options)
    with pytest.raises(EngineError, match="no NVIDIA GPU"):
        choose(Candidate(HRNET, checkpoint=True), Available(builds_without_gpu=True), options)


def test_a_graph_for_openvino_alone_is_not_given_to_tensorrt() -> None:
    with pytest.raises(EngineError, match="published for OpenVINO alone"):
        choose(Candidate(INT8, checkpoint=False), SERVER, EngineOptions(backend="tensorrt"))


@pytest.mark.parametrize(
    ("available", "precision", "graph", "published"),
    [
        (LAPTOP, None, "posewire-small.xml", "int8"),
        (LAPTOP, "int8", "posewire-small.xml", "int8"),
        (LAPTOP, "fp32", "posewire-small.onnx", "fp32"),
        (LAPTOP, "bf16", "posewire-small.onnx", "fp32"),
        (SERVER, None, "posewire-small.onnx", "fp32"),
        (SERVER, "int8", "posewire-small.onnx", "fp32"),
    ],
)
def test_an_int8_graph_is_run_as_it_is_or_its_float32_one_is_built_from(
    available: Available, precision: Precision | None, graph: str, published: str
) -> None:
    model, wanted = Candidate(SMALL, checkpoint=False), EngineOptions(precision=precision)
    choice = choose(model, available, wanted)
    assert choice.entry.networks["network"].graph == graph
    assert choice.entry.precision == published
    assert choice.precision == (precision or ("int8" if available is LAPTOP else "fp16"))
