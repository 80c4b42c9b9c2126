"""What is asked of an image, and what is found in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.catalog import Entry
from engines.geometry import Pixels
from engines.people import Floats, People


@dataclass(frozen=True, slots=True)
class Query:
    """What to find in an image.

    Attributes:
        model: its name; empty for the default one.
        deadline: of `time.monotonic`.
        min_score: people below it are left out.
        max_people: the best ones are kept; None keeps all.
        boxes: (P, 4) x, y, width, height of the people to look at, for a model that needs
            boxes; each is answered, in that order.
        detector: the model that finds people for one that needs boxes, or `whole-image`;
            the service's own choice if empty.
    """

    model: str
    deadline: float
    min_score: float = 0.0
    max_people: int | None = None
    boxes: Floats | None = None
    detector: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The people of one image, (height, width) pixels as displayed.

    `timings_ms` has decode, prepare, queue, infer, group and total.
    """

    entry: Entry
    width: int
    height: int
    people: People
    timings_ms: Mapping[str, float]
    image: Pixels | None = None
