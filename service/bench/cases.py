"""Which networks are measured, on inputs of which size and number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engines.catalog import Entry, Network, find
from engines.geometry import Pixels
from engines.options import Options
from engines.pictures import pictures
from engines.runtime.engine import Batch
from engines.sizes import Size, parse_sizes, written
from engines.systems import SYSTEMS, TOP_DOWN

_CROPS = 8  # in a batch, unless another number is asked for
_MOST_BATCHES = 4  # of different pictures


@dataclass(frozen=True, slots=True)
class Case:
    """The network of a model that sees pictures, on batches of one shape."""

    entry: Entry
    size: Size
    batch: int

    @property
    def network(self) -> Network:
        return self.entry.networks["network"]


def cases(names: Sequence[str], sizes: str | None, batches: str | None) -> Iterator[Case]:
    """A case for each name.

    Args:
        names: of the catalogue; one may come again.
        sizes: HEIGHTxWIDTH for all, or one for each, separated by commas; None for what the
            model makes of most pictures.
        batches: pictures in a batch, likewise; None for 8 crops or 1 picture.

    Raises:
        UnknownModelError
        ValueError: a size or number cannot be read, is none of the model's, or there are more or
            less of them than of names.
    """
    of_size, of_batch = _each(sizes, names, "--size"), _each(batches, names, "--batch")
    for name, size, batch in zip(names, of_size, of_batch, strict=True):
        entry = find(name)
        yield Case(entry, _size(entry, size), _count(entry, batch))


def inputs(case: Case, folder: Path | None) -> list[Batch]:
    """Batches of pictures, of a folder or of the package, that fill the size."""
    filled = [_filled(picture, case.size) for picture in pictures(folder)]
    count = min(_MOST_BATCHES, -(-len(filled) // case.batch))
    taken = [filled[at % len(filled)] for at in range(count * case.batch)]
    return [np.stack(taken[at : at + case.batch]) for at in range(0, len(taken), case.batch)]


def _each(text: str | None, names: Sequence[str], flag: str) -> list[str | None]:
    parts: list[str | None] = [part.strip() for part in text.split(",")] if text else [None]
    if len(parts) == 1:
        return parts * len(names)
    if len(parts) != len(names):
        raise ValueError(f"{flag} {text}: give one for all, or one for each of {', '.join(names)}")
    return parts


def _size(entry: Entry, text: str | None) -> Size:
    made = SYSTEMS[entry.system].make(entry, None, Options()).sizes
    if text is None:
        return made.sizes[1]
    size = parse_sizes(text)[1]
    if any(side % made.multiple for side in size):
        raise ValueError(f"--size {written(size)}: {entry.name} takes multiples of {made.multiple}")
    return size


def _count(entry: Entry, text: str | None) -> int:
    if text is None:
        return _CROPS if entry.system == TOP_DOWN else 1
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"--batch {text}: give a number of pictures")
    return int(text)


def _filled(picture: Pixels, size: Size) -> Pixels:
    """The middle of a picture, resized."""
    sides = picture.shape[:2]
    ratio = max(side / own for side, own in zip(size, sides, strict=True))
    height, width = (min(own, round(side / ratio)) for side, own in zip(size, sides, strict=True))
    top, left = (sides[0] - height) // 2, (sides[1] - width) // 2
    middle = picture[top : top + height, left : left + width]
    resized = cv2.resize(middle, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)
