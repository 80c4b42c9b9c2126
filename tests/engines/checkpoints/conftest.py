from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone after the test: checkpoints fill a disk."""
    yield tmp_path
    shutil.rmtree(tmp_path)
