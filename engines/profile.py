"""Which inputs an engine is built for."""

from __future__ import annotations

from dataclasses import dataclass

Size = tuple[int, int]  # height and width, in pixels


@dataclass(frozen=True, slots=True)
class Profile:
    """The least, the usual and the largest input of a network.

    Attributes:
        batch: inputs a call takes.
        sizes: of a picture; None for a network that takes none.
    """

    batch: tuple[int, int, int]
    sizes: tuple[Size, Size, Size] | None
