"""Photographs to network inputs: what the original pipelines feed their networks, a file each."""

from __future__ import annotations

from tests.parity.preprocessing import dekr, hrnet, lightweight_openpose, multiposenet
from tests.parity.report import Check


def checks() -> dict[str, Check]:
    """The check of every pipeline."""
    return {
        "preprocessing/lightweight_openpose": lightweight_openpose.check,
        "preprocessing/dekr_512": dekr.check_512,
        "preprocessing/dekr_640": dekr.check_640,
        "preprocessing/hrnet_256x192": hrnet.check,
        "preprocessing/multiposenet_480": multiposenet.check,
    }
