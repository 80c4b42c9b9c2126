"""The pictures a load is made of."""

from __future__ import annotations

from pathlib import Path

from service.predict import pictures

_MOST = 500  # kept in memory


def read_pictures(folder: Path) -> list[bytes]:
    """Encoded pictures of a folder; `ValueError` if it has none."""
    images = [path.read_bytes() for path in list(pictures([folder]))[:_MOST]]
    if not images:
        raise ValueError(f"{folder} has no pictures; give --images a folder of them")
    return images
