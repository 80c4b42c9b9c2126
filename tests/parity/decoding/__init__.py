"""Maps to people: what the original post-processing made of the same maps, a file a system."""

from __future__ import annotations

from tests.parity.decoding import lightweight_openpose
from tests.parity.report import Check


def checks() -> dict[str, Check]:
    """The check of every implemented system."""
    return {"decoding/lightweight-openpose": lightweight_openpose.check}
