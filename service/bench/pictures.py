"""The pictures a load is made of."""

from __future__ import annotations

from pathlib import Path

from service.pictures import pictures

_MOST = 500  # kept in memory


def read_pictures(folder: Path) -> dict[str, bytes]:
    """Encoded pictures of a folder by name; `ValueError` if it has none."""
    return {path.name: path.read_bytes() for path in pictures([folder])[:_MOST]}
