"""Where tests find the data that is not part of the project, and the reason when it is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


def shared(path: str) -> Path:
    """What lies at `path` below the shared data; skips the test, by name, where it is absent."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"needs {path} of the shared data, which is absent")
    return found
