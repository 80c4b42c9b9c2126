"""Kubernetes' objects of both kinds of pods, and the settings that the pods get."""

from __future__ import annotations

import os

import pytest

from service.settings import Settings
from tests.docker.kubernetes.manifests import FOLDER, Manifests, build


@pytest.fixture
def cpu() -> Manifests:
    return build(FOLDER / "base")


@pytest.fixture
def gpu() -> Manifests:
    return build(FOLDER / "gpu")


@pytest.fixture(params=["base", "gpu"])
def made(request: pytest.FixtureRequest) -> Manifests:
    return build(FOLDER / request.param)


@pytest.fixture
def settings(made: Manifests, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in [name for name in os.environ if name.startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)
    for name, value in made.variables.items():
        monkeypatch.setenv(name, value)
    return Settings()
