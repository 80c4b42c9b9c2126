"""Torch networks to ONNX graphs; those of pictures take pixels as they come out of an image."""

from __future__ import annotations

import copy
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from onnxscript import opset19
from torch import Tensor, nn
from torch.export import Dim

from engines.networks.deform_conv import OPERATOR
from engines.networks.folding import fold
from engines.networks.on_pixels import OnPixels

OPSET = 18
OPSET_OF_DEFORM_CONV = 19  # the first to have the operator


@dataclass(frozen=True, slots=True)
class _Input:
    """What a graph takes: an example of it, and its sizes that are free, by dimension."""

    name: str
    example: Tensor
    free: dict[int, Any]


def export(
    network: nn.Module,
    path: Path,
    *,
    mean: Sequence[float],
    scale: Sequence[float],
    rgb: bool = False,
    outputs: Sequence[str] = ("heatmaps", "pafs"),
    multiple: int = 8,
    deform_conv: bool = False,
) -> None:
    """Write `network` to `path` as an ONNX graph, or leave `path` as it was.

    The graph's input `image` is (N, H, W, 3) uint8 BGR with N, H and W free, H and W multiples
    of `multiple`. The network gets (N, 3, H, W) float32, (pixel - mean) / scale.

    Args:
        network: takes one tensor, gives one or a tuple of them; it is exported in evaluation
            mode and float32, whatever mode and type it has, and is not changed.
        path: where the graph goes; its folder is made.
        mean, scale: for each of the three channels, in the order the network takes them and
            in units of a pixel's 0 to 255.
        rgb: whether the network takes RGB.
        outputs: names of the network's outputs, in order.
        multiple: of what height and width are multiples, for the network's strides.
        deform_conv: whether deformable convolutions are ONNX's DeformConv, of opset 19, which
            TensorRT has from 10.1 and OpenVINO and TensorRT-RTX have not. By default they are
            made of GridSample, and the graph is of opset 18; the GridSample of opset 20 gives
            other results in TensorRT 10.13.

    Raises:
        ValueError: `mean` or `scale` is not of three channels, `outputs` not of as many names
            as the network has outputs, or the network takes one size of input only.
    """
    if len(mean) != 3 or len(scale) != 3:
        raise ValueError("mean and scale need three values each, one a channel")
    on_pixels = OnPixels(_exact(network), mean, scale, rgb).eval()
    # Two images and many cells: a size of one would be taken for a constant.
    example = torch.zeros(2, 8 * multiple, 12 * multiple, 3, dtype=torch.uint8)
    # The exporter folds normalisations too, but takes half as long where it finds none.
    fold(on_pixels, example[:1, : 2 * multiple, : 2 * multiple])
    free = {0: Dim("batch"), 1: multiple * Dim("rows"), 2: multiple * Dim("columns")}
    _write(on_pixels, path, _Input("image", example, free), outputs, deform_conv)


def export_arrays(
    network: nn.Module, path: Path, *, shape: Sequence[int], outputs: Sequence[str]
) -> None:
    """Write a network that takes no picture to `path` as `export` does.

    The graph's input `input` is (N, *shape) float32 with N free, as the network takes it.
    """
    arrays = _Input("input", torch.zeros(2, *shape), {0: Dim("batch")})
    _write(_exact(network), path, arrays, outputs)


def _exact(network: nn.Module) -> nn.Module:
    """A copy in float32 and evaluation mode."""
    return copy.deepcopy(network).to("cpu", torch.float32).eval()


def _write(
    network: nn.Module,
    path: Path,
    given: _Input,
    outputs: Sequence[str],
    deform_conv: bool = False,
) -> None:
    """Trace a network and put the graph at `path` in one step."""
    program = _trace(network, given, outputs, deform_conv)
    made = len(program.model.graph.outputs)
    if made != len(outputs):
        raise ValueError(f"the network has {made} outputs, but {len(outputs)} are named")
    (taken,) = program.model.graph.inputs
    sizes = list(taken.shape or ())
    if fixed := [side for side in given.free if isinstance(sizes[side], int)]:
        raise ValueError(
            f"the network takes input of one size only in dimensions {fixed}: its forward makes "
            "a number of them, as len() or int() do"
        )
    for node in program.model.graph:
        node.metadata_props.clear()  # stack traces, with the paths of this machine
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        whole = Path(folder) / path.name
        program.save(whole, external_data=False)
        os.replace(whole, path)


def _trace(
    network: nn.Module, given: _Input, outputs: Sequence[str], deform_conv: bool
) -> torch.onnx.ONNXProgram:
    with _quiet():
        program = torch.onnx.export(
            network,
            (given.example,),
            dynamo=True,
            dynamic_shapes=(given.free,),
            input_names=[given.name],
            output_names=list(outputs),
            opset_version=OPSET_OF_DEFORM_CONV if deform_conv else OPSET,
            custom_translation_table={OPERATOR: _deform_conv} if deform_conv else None,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - given by every export with dynamo=True
    return program


def _deform_conv(x: Any, offsets: Any, weight: Any, bias: Any, groups: int) -> Any:
    """`engines.networks.deform_conv.deform_conv2d` as ONNX's; the offsets lie alike."""
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    return opset19.DeformConv(x, weight, offsets, bias, group=groups, offset_group=groups, **same)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what the exporter says of its own insides: deprecations, and absent torchvision."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)
