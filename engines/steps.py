"""A model's work on one image, as a generator that asks for its networks.

One description serves a script, the command line and the server: whoever drives it
answers each `Infer` with the maps of those pictures.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from engines.people import People
from engines.runtime.engine import Batch, Maps


@dataclass(frozen=True, slots=True)
class Infer:
    """Pictures (N, h, w, 3) uint8 for the network of that name."""

    network: str
    pictures: Batch


Steps = Generator[Infer, Maps, People]
