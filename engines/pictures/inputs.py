"""What the steps of a model ask its networks on pictures."""

from __future__ import annotations

from collections.abc import Iterable

from engines.geometry import Pixels
from engines.model import Model, drive, engines_of
from engines.runtime.engine import Batch, Maps
from engines.steps import Infer, watched


def inputs_of(
    model: Model, pictures: Iterable[Pixels], detector: Model | None = None
) -> dict[str, list[Batch]]:
    """By name of each of the model's networks, its inputs on these pictures.

    Args:
        model: whose engines answer, as what a second network is asked depends on the first.
        pictures: (H, W, 3) uint8 BGR.
        detector: finds people for a model that needs boxes; without one the whole picture is
            one person.
    """
    inputs: dict[str, list[Batch]] = {name: [] for name in model.engines}

    def keep(asked: Infer, _: Maps) -> None:
        if asked.network in inputs:  # not the detector's
            inputs[asked.network].append(asked.inputs)

    for picture in pictures:
        drive(watched(model.steps(picture, detector), keep), engines_of(model, detector))
    return inputs
