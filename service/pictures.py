"""Files that are pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


def pictures(paths: Iterable[Path]) -> list[Path]:
    """The files among `paths`, and the pictures directly in the folders among them.

    Raises:
        ValueError: a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
        if not inside:
            raise ValueError(f"{path} has no pictures ({', '.join(sorted(SUFFIXES))})")
        found += inside
    return found
