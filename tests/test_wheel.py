"""What is installed has the model that ships, whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from engines.catalog import catalog
from engines.weights import is_published
from tests.shared import ROOT

SHIPPED = [name for name, entry in catalog().items() if entry.shipped]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel unpacks to."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder))
    subprocess.run([sys.executable, *build], cwd=ROOT, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_wheel_has_the_files_of_a_model_that_ships(name: str, installed: Path) -> None:
    files = catalog()[name].files
    assert files
    for file in files:
        assert is_published(installed / "engines" / "shipped" / name / file.name, file)
