"""What engines run on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """What an engine is built for, or was compared on.

    Attributes:
        name: of the GPU or the processor.
        capability: the GPU's compute capability, or the several that an engine is built for.
        driver: version of the GPU's.
    """

    name: str
    capability: str = ""
    driver: str = ""


ANY = Machine("any")  # what is built depends on none
