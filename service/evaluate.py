"""COCO keypoint accuracy on a folder of pictures, as the service reads them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from engines import accuracy
from engines.geometry import Pixels
from engines.model import Model
from service.errors import ServiceError
from service.images.codec import ImageLimits, decode


def evaluate(
    model: Model,
    annotations: Path,
    images: Path,
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    detector: Model | None = None,
    *,
    true_boxes: bool = False,
) -> dict[str, float]:
    """As `engines.accuracy.evaluate`; `ValueError` names a picture that cannot be read."""
    return accuracy.evaluate(
        model,
        annotations,
        images,
        _decode,
        track=track,
        detector=detector,
        true_boxes=true_boxes,
    )


def _decode(path: Path) -> Pixels:
    try:
        return decode(path.read_bytes(), ImageLimits())
    except ServiceError as error:
        raise ValueError(f"{path}: {error}") from error
