"""Accuracy of a checkpoint's averaged weights, decoded as the service does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from torch import nn

from engines.accuracy import evaluate as measure
from engines.catalog import find
from engines.geometry import Pixels
from engines.model import Model
from engines.options import Options
from engines.runtime.torch import TorchEngine
from engines.systems import SYSTEMS
from training.config import Evaluation

_ENTRY = "lightweight-openpose"  # of the catalogue: the same input, outputs and decoding


def model_of(network: nn.Module, height: int) -> Model:
    """A student as a model of the catalogue, in float32 on the processor."""
    entry = find(_ENTRY)
    entry = replace(entry, input=replace(entry.input, height=height))
    system = SYSTEMS[entry.system].make(entry, None, Options())
    engine = TorchEngine(network, entry.networks["network"])
    return Model(entry, system, {entry.name: engine}, why="a checkpoint of training")


def evaluate(
    network: nn.Module,
    where: Evaluation,
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> dict[str, float]:
    """AP, AP50, AP75, APM, APL, AR and so on, as `engines.accuracy` says."""
    model = model_of(network, where.height)
    return measure(model, where.annotations, where.images, _decode, track=track)


def _decode(path: Path) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(f"{path} is not a picture that can be read")
    return np.asarray(pixels, np.uint8)
