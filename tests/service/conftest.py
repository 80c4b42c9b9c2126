"""The `posewire` command, for the tests of its commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engines.weights import Store
from service.cli import app
from tests.service.command import Posewire


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings, in an empty folder."""
    for name in [name for name in os.environ if name.upper().startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def posewire(store: Store, bare: None) -> Posewire:
    """The command in this process, with the tests' own weights and the given settings alone."""
    place = {"POSEWIRE_CACHE": str(store.cache), "POSEWIRE_MIRROR": str(store.mirror)}

    def run(*arguments: str | Path, **settings: str) -> Result:
        return CliRunner().invoke(app, list(map(str, arguments)), env=place | settings)

    return run
