"""Maps to people: what the original post-processing made of the same maps, a file a system."""

from __future__ import annotations

from tests.parity.decoding import dekr, hrnet, lightweight_openpose, multiposenet, openpose
from tests.parity.report import Check


def checks() -> dict[str, Check]:
    """The check of every system."""
    return {
        "decoding/lightweight-openpose": lightweight_openpose.check,
        "decoding/openpose-coco": openpose.check,
        "decoding/dekr-coco": dekr.check,
        "decoding/hrnet": hrnet.check,
        "decoding/multiposenet": multiposenet.check,
    }
