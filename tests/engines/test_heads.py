"""Decoding in a graph: the heads of `tests.benchmarks.heads`, which compares what is equal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="heads are written in torch, which is not installed")
pytest.importorskip("onnxscript", reason="torch exports with onnxscript, which is not installed")

import torch

from tests.benchmarks.heads_case import Case, apart, save
from tests.benchmarks.heads_multiposenet import multiposenet_resnet50
from tests.benchmarks.heads_openpose import lightweight, openpose_coco
from tests.benchmarks.heads_people import dekr_w32, hrnet

_PIXELS = 1e-3  # and of score
_SECONDS = 1.5  # of the processor; 0.8 measured

CASES: dict[str, Callable[[], Case]] = {
    "lightweight-openpose": lambda: lightweight(12),
    "openpose": lambda: openpose_coco(12),
    "hrnet": lambda: hrnet(2),
    "hrnet-dark": lambda: hrnet(2, dark=True),
    "dekr": lambda: dekr_w32(5),
    "multiposenet": lambda: multiposenet_resnet50(4),
}


@pytest.mark.parametrize("name", CASES)
def test_a_head_and_what_it_leaves_find_the_people_that_decoding_finds(name: str) -> None:
    case = CASES[name]()
    maps = case.maps
    expected = case.decode(maps)
    assert len(expected[0]) > 1
    for head in case.heads:
        with torch.inference_mode():
            made = head.module(*map(torch.from_numpy, maps.values()))
        made = (made,) if isinstance(made, torch.Tensor) else made
        given = {key: one.numpy() for key, one in zip(head.outputs, made, strict=True)}
        assert apart(head.finish(given), expected) <= _PIXELS, head.name


def test_tensorrt_builds_lightweight_openpose_with_its_peaks_in_about_a_second(
    tmp_path: Path,
) -> None:
    """In float16, the cubic enlargement and top-k in float32; any batch, height and width."""
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    from tests.benchmarks.heads_rtx import build  # noqa: PLC0415 - needs TensorRT-RTX

    case = lightweight(1)
    (head,) = (head for head in case.heads if head.name == "peaks, enlarged")
    path = tmp_path / "headed.onnx"
    save(case.headed(head, half=True), path, head.outputs, case.multiple)
    built = build(path, ((1, 64, 64), (2, 368, 656), (8, 368, 1472)))
    assert built.seconds <= _SECONDS
    assert built.outputs == {"place": "INT32", "around": "FLOAT", "pafs": "FLOAT"}
