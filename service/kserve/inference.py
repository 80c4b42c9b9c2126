"""What an inference request asks for, whichever protocol brought it, and its answer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from service.boxes import parse_boxes
from service.core import Core
from service.errors import (
    BadImageError,
    BadParameterError,
    ImageTooLargeError,
    InternalError,
    UnsupportedImageError,
)
from service.estimate import Estimate, Query
from service.kserve.schemas import Parameters
from service.kserve.tensors import Tensor, names, outputs
from service.telemetry.tracing import part

T = TypeVar("T")

_OF_A_PICTURE = (BadImageError, UnsupportedImageError, ImageTooLargeError, InternalError)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without its wire: encoded images, options, and names of outputs, all if none."""

    images: Sequence[bytes]
    parameters: Parameters
    outputs: Sequence[str]


async def infer(core: Core, model: str, asked: Asked, deadline: float) -> list[Tensor]:
    """The outputs for all images. At most a window of them is in the system at once.

    Raises:
        ServiceError: any of them, see `service.errors`; that of one image says which.
    """
    _check_outputs(asked)
    query = _query(core, model, asked, deadline)
    if len(asked.images) == 1:
        estimates = [await core.estimator.estimate(asked.images[0], query)]
    else:
        estimates = await _several(core, asked.images, query)
    with core.metrics.encoding(estimates[0].entry.name):
        return outputs(estimates, asked.outputs)


async def _several(core: Core, images: Sequence[bytes], query: Query) -> list[Estimate]:
    room = asyncio.Semaphore(core.window)

    async def one(number: int, image: bytes) -> Estimate:
        async with room:
            with part("image"):
                try:
                    return await core.estimator.estimate(image, query)
                except _OF_A_PICTURE as error:
                    place = f"Image {number} of {len(images)}"
                    raise type(error)(f"{place}: {error.message}") from error

    return await _together([one(*image) for image in enumerate(images, 1)])


def _check_outputs(asked: Asked) -> None:
    known = names(len(asked.images))
    for name in asked.outputs:
        if name not in known:
            raise BadParameterError(
                f"There is no output {name!r} of {len(asked.images)} images: "
                f"ask for {', '.join(known)}."
            )


def _query(core: Core, model: str, asked: Asked, deadline: float) -> Query:
    parameters = asked.parameters
    if parameters.boxes is not None and len(asked.images) > 1:
        raise BadParameterError("Boxes are of one image: send such images one by one.")
    allowed = parameters.timeout / 1e6 or math.inf
    return Query(
        model,
        min(deadline, time.monotonic() + allowed),
        parameters.min_score,
        parameters.max_people,
        boxes=parse_boxes(parameters.boxes, core.settings.max_boxes),
        detector=parameters.detector,
    )


async def _together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All of it; where one fails, the others are cancelled."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
