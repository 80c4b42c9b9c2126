"""Photographs to network inputs: what the original pipelines feed their networks, a file each."""

from __future__ import annotations

from tests.parity.preprocessing import lightweight_openpose
from tests.parity.report import Check


def checks() -> dict[str, Check]:
    """The check of every implemented pipeline."""
    return {"preprocessing/lightweight_openpose": lightweight_openpose.check}
