"""Torch networks to ONNX graphs that take pixels as they come out of an image."""

from __future__ import annotations

import copy
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim

OPSET = 18


def export(
    network: nn.Module,
    path: Path,
    *,
    mean: Sequence[float],
    scale: Sequence[float],
    rgb: bool = False,
    outputs: Sequence[str] = ("heatmaps", "pafs"),
    multiple: int = 8,
) -> None:
    """Write `network` to `path` as an ONNX graph of opset 18, or leave `path` as it was.

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

    Raises:
        ValueError: `mean` or `scale` is not of three channels, or `outputs` not of as many
            names as the network has outputs.
    """
    if len(mean) != 3 or len(scale) != 3:
        raise ValueError("mean and scale need three values each, one a channel")
    on_pixels = _OnPixels(copy.deepcopy(network).to("cpu", torch.float32), mean, scale, rgb).eval()
    program = _trace(on_pixels, list(outputs), multiple)
    made = len(program.model.graph.outputs)
    if made != len(outputs):
        raise ValueError(f"the network has {made} outputs, but {len(outputs)} are named")
    for node in program.model.graph:
        node.metadata_props.clear()  # stack traces, with the paths of this machine
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as folder:
        whole = Path(folder) / path.name
        program.save(whole, external_data=False)
        os.replace(whole, path)


class _OnPixels(nn.Module):
    """A network that takes (N, H, W, 3) uint8 BGR."""

    order: Tensor | None
    mean: Tensor
    scale: Tensor

    def __init__(
        self, network: nn.Module, mean: Sequence[float], scale: Sequence[float], rgb: bool
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("order", torch.tensor([2, 1, 0]) if rgb else None)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        pixels = image.to(torch.float32).permute(0, 3, 1, 2)  # TensorRT does not transpose uint8
        if self.order is not None:
            pixels = pixels.index_select(1, self.order)
        made = self.network((pixels - self.mean) / self.scale)
        return (made,) if isinstance(made, Tensor) else tuple(made)


def _trace(network: nn.Module, outputs: list[str], multiple: int) -> torch.onnx.ONNXProgram:
    # Two images and many cells: a size of one would be taken for a constant.
    example = torch.zeros(2, 8 * multiple, 12 * multiple, 3, dtype=torch.uint8)
    free = {0: Dim("batch"), 1: multiple * Dim("rows"), 2: multiple * Dim("columns")}
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            dynamic_shapes={"image": free},
            input_names=["image"],
            output_names=outputs,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - given by every export with dynamo=True
    return program


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
