"""Networks may fail without an error: what they give is looked at before anybody is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engines.people import People
from engines.runtime.engine import Maps
from service.errors import InternalError


def check_maps(maps: Maps) -> None:
    """Raises `InternalError` where one of the maps of a picture is not finite throughout."""
    if wrong := [name for name, array in maps.items() if not _finite(array)]:
        raise InternalError(f"The network's {wrong[0]} has values that are no numbers: try again.")


def check_people(people: People) -> None:
    """Raises `InternalError` where the people are not finite throughout."""
    if not all(map(_finite, (people.keypoints, people.scores, people.boxes))):
        raise InternalError("People were found at places that are no numbers: try again.")


def _finite(array: npt.NDArray[Any]) -> bool:
    if not np.issubdtype(array.dtype, np.floating):
        return True
    # Takes half the time, and is finite for nothing that is not; large numbers may exceed it.
    return bool(np.isfinite(np.vdot(array, array)) or np.isfinite(array).all())
