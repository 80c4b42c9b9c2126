"""What tests of engines share: the folders in which models are exported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder for the graphs of a model with made-up parameters, by name: an export takes
    seconds, and the tests that need one use what another left there."""
    folder = tmp_path_factory.mktemp("exports")

    def of(name: str) -> Path:
        (folder / name).mkdir(exist_ok=True)
        return folder / name

    return of
