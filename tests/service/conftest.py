"""What tests of the service share: the `posewire` command, callers of the service that a module has
`running`, and a lane with its engine.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

from engines.weights import Store
from service.cli import app
from service.default import FETCHED
from service.pb.pose_pb2_grpc import PoseServiceStub
from service.scheduling.lane import Lane
from service.scheduling.scheduler import Scheduler
from service.telemetry.metrics import Metrics
from tests.service.command import Posewire
from tests.service.lanes import Engine
from tests.service.serving import Service, over_grpc, over_http


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings, in an empty folder."""
    for name in [name for name in os.environ if name.upper().startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def posewire(store: Store, bare: None) -> Posewire:
    """The command in this process, with the tests' own weights and the given settings alone; the
    model is one of those, whatever the cache has already."""
    place = {
        "POSEWIRE_CACHE": str(store.cache),
        "POSEWIRE_MIRROR": str(store.mirror),
        "POSEWIRE_MODELS": FETCHED,
    }

    def run(*arguments: str | Path, **settings: str | None) -> Result:
        return CliRunner().invoke(app, list(map(str, arguments)), env=place | settings)

    return run


@pytest.fixture
async def http(running: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with over_http(running) as client:
        yield client


@pytest.fixture
async def stub(running: Service) -> AsyncIterator[PoseServiceStub]:
    async with over_grpc(running) as client:
        yield client


@pytest.fixture
def engine() -> Engine:
    """Of the lane; it can be held."""
    return Engine()


@pytest.fixture
def sizes() -> list[int]:
    """Of the lane's batches."""
    return []


@pytest.fixture
def scheduler(engine: Engine) -> Iterator[Scheduler]:
    scheduler = Scheduler(Metrics().count_busy)
    yield scheduler
    engine.held.set()
    scheduler.close()


@pytest.fixture
def lane(scheduler: Scheduler, engine: Engine, sizes: list[int]) -> Lane:
    return scheduler.add("network", [engine], lambda ran: sizes.append(ran.pictures))
