"""What `tests.benchmarks.heads` compares: systems' decoding, and heads that do parts of it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional

from engines.export import OPSET
from engines.networks.folding import fold
from engines.people import Floats

Maps = Mapping[str, np.ndarray]  # by output name, (N, ...)
People = tuple[Floats, ...]  # keypoints, and what else decoding gives
_CENTRE, _RANGE = 128, 256
_TOLERANCE = 1e-2  # pixels; scores are as exact


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The end of a graph, and what NumPy still does with what it gives.

    Attributes:
        name: as printed.
        module: takes a network's maps in float32, one argument each.
        outputs: names of what it gives.
        finish: from these to people.
    """

    name: str
    module: nn.Module
    outputs: Sequence[str]
    finish: Callable[[Maps], People]


@dataclass(frozen=True, slots=True)
class Case:
    """A system with people on its maps.

    Attributes:
        name: as printed.
        network: makes it, with any parameters.
        multiple: of what the input's sides are multiples.
        shape: (N, h, w) of the input.
        scene: the maps drawn, (1, ...) each, which every picture of a batch gets.
        decode: the product's way from maps to people.
        heads: what may take a part of that over.
    """

    name: str
    network: Callable[[], nn.Module]
    multiple: int
    shape: tuple[int, int, int]
    scene: Mapping[str, Floats]
    decode: Callable[[Maps], People]
    heads: Sequence[Head]

    @property
    def plain(self) -> Head:
        """No head: the maps as they are, and all of the decoding in NumPy."""
        return Head("maps", Untouched(), list(self.scene), self.decode)

    @property
    def maps(self) -> Maps:
        """The scene's, one for each picture of the batch."""
        return {name: np.repeat(one, self.shape[0], axis=0) for name, one in self.scene.items()}

    def headed(self, head: Head, *, half: bool = False) -> Headed:
        """Its network with a head, on pixels."""
        return Headed(self.network(), head.module, list(self.scene.values()), half=half).eval()


class Untouched(nn.Module):
    """The head that changes nothing."""

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        return maps


class Headed(nn.Module):
    """A network with a head, on (N, h, w, 3) uint8 pixels.

    Parameters are made up, and what a network says with them shows nobody. So the scene's maps
    stand for its own, of which a millionth is left that no compiler can leave out.

    Args:
        network: with one or several maps.
        head: gets them in float32, whatever the network computes in.
        scene: maps of (1, ...) and the size of the input that is measured; on inputs of other
            sizes they are stretched.
        half: whether the network computes in float16.
    """

    def __init__(
        self, network: nn.Module, head: nn.Module, scene: Sequence[Floats], *, half: bool = False
    ) -> None:
        super().__init__()
        self.computed_in = torch.float16 if half else torch.float32
        self.network = network.to(self.computed_in)
        self.head = head
        for index, one in enumerate(scene):
            self.register_buffer(f"scene{index}", torch.from_numpy(one))

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        pixels = image.to(self.computed_in).permute(0, 3, 1, 2)  # TensorRT does not transpose uint8
        made = self.network((pixels - _CENTRE) / _RANGE)
        made = (made,) if isinstance(made, Tensor) else made
        drawn = [
            one.float().clamp(-1e-6, 1e-6) + _stretched(self.get_buffer(f"scene{index}"), one)
            for index, one in enumerate(made)
        ]
        given = self.head(*drawn)
        return (given,) if isinstance(given, Tensor) else tuple(given)


def _stretched(scene: Tensor, like: Tensor) -> Tensor:
    if like.dim() == 4:
        return functional.interpolate(scene, size=like.shape[2:], mode="nearest")
    return functional.interpolate(scene.mT, size=like.shape[1:2], mode="nearest").mT


def save(network: nn.Module, path: Path, outputs: Sequence[str], multiple: int) -> None:
    """Writes a graph as `engines.export.export` does, but in the types that the network has."""
    example = torch.zeros(2, 8 * multiple, 12 * multiple, 3, dtype=torch.uint8)
    free = {0: Dim("batch"), 1: multiple * Dim("rows"), 2: multiple * Dim("columns")}
    fold(network, example)
    _write(network, path, {"image": example}, outputs, (free,))


def save_head(head: nn.Module, path: Path, maps: Maps, outputs: Sequence[str]) -> None:
    """Writes a head for maps of these sizes."""
    examples = {f"drawn_{name}": torch.from_numpy(one) for name, one in maps.items()}
    _write(head, path, examples, outputs)


def _write(
    network: nn.Module,
    path: Path,
    examples: Mapping[str, Tensor],
    outputs: Sequence[str],
    free: tuple[dict[int, Any], ...] | None = None,
) -> None:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's, of its own insides
        torch.onnx.export(
            network,
            tuple(examples.values()),
            path,
            dynamo=True,
            dynamic_shapes=free,
            input_names=list(examples),
            output_names=list(outputs),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )


def apart(ours: People, theirs: People) -> float:
    """The largest difference in pixels or of score of anybody from the nearest of the others.

    Infinite where they are not as many.
    """
    if len(ours[0]) != len(theirs[0]):
        return np.inf
    one, other = (
        np.concatenate([part.reshape(len(part), -1) for part in people], axis=1)
        for people in (ours, theirs)
    )
    gaps = np.abs(one[:, None] - other[None]).max(axis=2)
    return float(max(gaps.min(axis=0).max(initial=0), gaps.min(axis=1).max(initial=0)))


def verdict(ours: People, theirs: People) -> str:
    """How exactly the same people they are."""
    if len(ours[0]) != len(theirs[0]):
        return f"{len(ours[0])} people of {len(theirs[0])}"
    difference = apart(ours, theirs)
    return "the same" if difference <= _TOLERANCE else f"up to {difference:.2g} apart"
