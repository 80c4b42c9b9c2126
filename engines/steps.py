"""A model's work on one image, as a generator that asks for its networks.

One description serves a script, the command line and the server: whoever drives it
answers each `Infer` with the maps of those inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from engines.people import People
from engines.runtime.engine import Batch, Maps


@dataclass(frozen=True, slots=True)
class Infer:
    """Inputs for the network of that name: N pictures (N, h, w, 3) uint8, or arrays (N, ...)."""

    network: str
    inputs: Batch


Steps = Generator[Infer, Maps, People]
Look = Callable[[Infer, Maps], None]


def watched(steps: Steps, look: Look) -> Steps:
    """The same steps; `look` sees each question with its answer, before the steps do."""
    try:
        asked = next(steps)
        while True:
            maps = yield asked
            look(asked, maps)
            asked = steps.send(maps)
    except StopIteration as stopped:
        people: People = stopped.value
        return people
