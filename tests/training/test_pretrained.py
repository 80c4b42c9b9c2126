"""A student that begins with a detector's features has those of the published graph."""

from __future__ import annotations

from pathlib import Path

import onnx
import openvino as ov
import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch
from torch import Tensor
from torch.nn.functional import pad

from engines.networks.yolox import YoloX
from tests.shared import shared
from training.pretrained import begin

SIDE = 416  # of the pictures that the published graph takes
# What its features at an eighth, a sixteenth and a thirty-second are called there.
NAMES = "956", "921", "886"


def published(graph: Path, folder: Path, pixels: Tensor) -> list[Tensor]:
    """The features of the published graph, of which it finds boxes."""
    model = onnx.load(graph)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in NAMES)
    onnx.save(model, folder / "features.onnx")
    hints = {"INFERENCE_PRECISION_HINT": "f32"}
    answers = ov.Core().compile_model(folder / "features.onnx", "CPU", hints)(pixels.numpy())
    return [torch.from_numpy(answers[name]) for name in NAMES]


def test_features_are_those_of_the_published_graph(tmp_path: Path) -> None:
    graph = shared("weights/yolox-nano/yolox_nano.onnx")
    features = YoloX(8).eval()
    begin(features, graph)
    pixels = torch.randint(0, 256, (1, 3, SIDE, SIDE)).float()
    seen = []

    # The published graph sees black beside the picture, and a student grey.
    features.stem.get_submodule("0").padding = (0, 0)  # type: ignore[assignment]
    with torch.inference_mode():
        x = features.stem((pad(pixels, (2, 2, 2, 2)) - 128) / 256)
        for level in features.levels:
            x = level(x)
            seen.append(x)
        sixteenth = features.coarse(x, seen[2])
        ours = features.fine(sixteenth, seen[1]), sixteenth, x

    for one, other in zip(ours, published(graph, tmp_path, pixels), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
