"""The boxes that a request gives, checked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.people import Floats
from service.errors import BadParameterError

_LARGEST = 1e6  # pixels; what no picture reaches


def parse_boxes(text: str | None, most: int) -> Floats | None:
    """(P, 4) of `x,y,width,height;x,y,width,height...`; None where there is no text.

    Raises:
        BadParameterError: not such a text, or not such boxes as `check_boxes` takes.
    """
    if text is None:
        return None
    try:
        boxes = [[float(side) for side in box.split(",")] for box in text.strip("; ").split(";")]
    except ValueError:
        boxes = []
    if not boxes or any(len(box) != 4 for box in boxes):
        raise BadParameterError(
            f"boxes {text[:60]!r} are not boxes: write x,y,width,height of each person in pixels, "
            "with semicolons between people."
        )
    return check_boxes(boxes, most)


def check_boxes(boxes: Sequence[Sequence[float]], most: int) -> Floats:
    """(P, 4) x, y, width, height.

    Raises:
        BadParameterError: more than `most`, without a size, or out of any picture's range.
    """
    if len(boxes) > most:
        raise BadParameterError(f"{len(boxes)} boxes are too many: give at most {most}.")
    array = np.asarray(boxes, np.float64).clip(-2 * _LARGEST, 2 * _LARGEST).astype(np.float32)
    if not (np.abs(array) <= _LARGEST).all() or not (array[:, 2:] > 0).all():
        raise BadParameterError(
            "A box has no size or is no place in a picture: give x, y, width and height in pixels, "
            "width and height above 0."
        )
    return array
