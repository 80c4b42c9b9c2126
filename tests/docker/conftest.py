"""What tests of the deployment share: a Docker engine, and what compose has started on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docker.compose import Deployment, deployed
from tests.docker.engine import Engine, docker_engine
from tests.docker.programs import program
from tests.shared import shared


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with docker_engine() as found:
        yield found


@pytest.fixture(scope="session")
def compose() -> str:
    """The command; skips, by name, where it is absent."""
    return program("docker-compose", "docker-compose")


@pytest.fixture(scope="module")
def deployment(
    compose: str, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """Of one replica, behind the proxy."""
    folder = tmp_path_factory.mktemp("compose")
    with deployed(compose, engine, shared("weights"), folder) as started:
        yield started
