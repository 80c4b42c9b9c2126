"""Features that know people already: those of the catalogue's person detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn

from engines.networks.yolox import YoloX
from training.network import MEAN, SCALE

DETECTOR = "yolox-nano"  # of the catalogue


def begin(features: YoloX, graph: Path) -> None:
    """Puts the detector's parameters in place of a network's own, but for the lateral ones.

    The graph takes four pixels beside each other as channels and sees 3x3 of these, which is one
    convolution of 6x6; and it takes pixels as they are, which becomes part of that convolution.

    Args:
        graph: the detector's, whose normalisations are folded.
    """
    (weight, bias), *others = _convolutions(onnx.load(graph))
    weight = _of_pixels(weight)
    first = weight * SCALE, bias + MEAN * weight.sum((1, 2, 3))
    with torch.no_grad():
        # The graph goes on to find boxes.
        for conv, values in zip(_published(features), (first, *others), strict=False):
            for parameter, value in zip(conv.parameters(), values, strict=True):
                parameter.copy_(value)


def published(features: YoloX) -> list[nn.Parameter]:
    """The parameters that `begin` sets."""
    return [parameter for conv in _published(features) for parameter in conv.parameters()]


def _published(features: YoloX) -> list[nn.Conv2d]:
    """The convolutions that the detector has too, in its order."""
    return [
        module
        for name, module in features.named_modules()
        if isinstance(module, nn.Conv2d) and not name.startswith("laterals.")
    ]


def _convolutions(model: ModelProto) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution of a graph, in its order."""
    held = {one.name: one for one in model.graph.initializer}
    return [
        (_tensor(held[node.input[1]]), _tensor(held[node.input[2]]))
        for node in model.graph.node
        if node.op_type == "Conv"
    ]


def _tensor(value: onnx.TensorProto) -> Tensor:
    return torch.from_numpy(np.array(numpy_helper.to_array(value)))


def _of_pixels(weight: Tensor) -> Tensor:
    """(C, 3, 6, 6) of (C, 4 * 3, 3, 3): of every two by two pixels the detector takes first the
    left column, then the right one.
    """
    columns = weight.reshape(-1, 2, 2, 3, 3, 3)  # C, x, y, colour, 3, 3
    return columns.permute(0, 3, 4, 2, 5, 1).reshape(-1, 3, 6, 6)
