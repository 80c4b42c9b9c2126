"""What many tests share: the weights, a real model and a photograph."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engines.loading import load
from engines.model import Model
from engines.weights import Store
from tests.shared import ROOT, shared


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a file are run by one process, as they share what they have made."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A cache of the tests' own, with the shared weights as its mirror."""
    return Store(tmp_path_factory.mktemp("cache"), str(shared("weights")))


@pytest.fixture(scope="session")
def model(store: Store) -> Iterator[Model]:
    """lightweight-openpose-int8 on OpenVINO."""
    loaded = load("lightweight-openpose-int8", store)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def poses(store: Store) -> Iterator[Model]:
    """pp-tinypose-256x192, which needs boxes."""
    loaded = load("pp-tinypose-256x192", store)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def detector(store: Store) -> Iterator[Model]:
    """yolox-nano, which finds them."""
    loaded = load("yolox-nano", store)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def astronaut() -> bytes:
    """A public-domain photograph of one person: Eileen Collins, NASA, S99-E-5404."""
    return (ROOT / "tests" / "data" / "astronaut.jpg").read_bytes()
