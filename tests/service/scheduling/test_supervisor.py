"""Devices that fall are restarted, and the service says when that is in vain."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from engines.catalog import find
from engines.model import Model
from engines.runtime.engine import Engine
from service.errors import UnavailableError
from service.scheduling import device
from service.scheduling.answers import Answer
from service.scheduling.lane import Lane
from service.scheduling.supervisor import Patience, Supervisor
from tests.service.devices import ALL, NAMES, pairs
from tests.service.fakes import POISON, Held
from tests.service.lanes import colours, pictures, soon
from tests.service.serving import MODEL, Service, Stepping, nobody, service, until

FIRST, SECOND = NAMES[:2]


@dataclass
class Fleet:
    """A service under supervision, and what its devices are restarted with."""

    running: Service
    patience: Patience
    spares: list[Engine | Exception] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    ready: list[bool] = field(default_factory=list)  # at each change

    def __post_init__(self) -> None:
        registry, metrics = self.running.registry, self.running.core.metrics
        self.supervisor = Supervisor(registry, self._load, self._changed, metrics, self.patience)
        self.supervisor.start()

    @property
    def lane(self) -> Lane:
        return self.running.registry.lane("network")

    def kill(self) -> asyncio.Task[Answer]:
        """A request that the least loaded device dies of."""
        return asyncio.create_task(self.lane.infer(pictures(POISON), soon()))

    async def _load(self, name: str) -> Mapping[str, Engine]:
        self.loads.append(name)
        spare = self.spares.pop(0) if self.spares else OSError("no engine is left")
        if isinstance(spare, Exception):
            raise spare
        return {"network": spare}

    async def _changed(self) -> None:
        self.ready.append(not self.running.registry.dead())


def mortal(name: str = FIRST) -> Held:
    """An engine that dies of poison, and else answers at once."""
    engine = Held(name, ahead=0, fault=SystemExit())
    engine.end(ALL)
    return engine


@pytest.fixture
def engines() -> list[Held]:
    """Of the service when it starts."""
    return [mortal()]


@pytest.fixture
def patience() -> Patience:
    return Patience(watchdog=60, restarts=3, pause=0.001)


@pytest.fixture
def running(engines: list[Held]) -> Iterator[Service]:
    first, *others = ({"network": engine} for engine in engines)
    with service(Model(find(MODEL), Stepping(nobody), first, tuple(others))) as started:
        yield started


@pytest.fixture
async def fleet(running: Service, patience: Patience) -> AsyncIterator[Fleet]:
    fleet = Fleet(running, patience)
    yield fleet
    fleet.supervisor.stop()


async def test_a_device_whose_thread_dies_is_restarted_and_answers_again(
    fleet: Fleet, engines: list[Held]
) -> None:
    fleet.spares += [mortal()]
    with pytest.raises(UnavailableError):
        await fleet.kill()
    assert fleet.running.registry.dead() == [MODEL]
    assert fleet.running.count("pose_engine_up", model=MODEL, device=FIRST) == 0
    await until(lambda: fleet.ready == [False, True])
    assert colours(await fleet.lane.infer(pictures(7), soon())) == [7]
    assert engines[0].closed
    assert fleet.loads == [FIRST]
    assert fleet.running.count("pose_engine_restarts_total", device=FIRST) == 1
    assert fleet.running.count("pose_engine_up", model=MODEL, device=FIRST) == 1
    assert fleet.running.count("pose_device_up", device=FIRST) == 1


@pytest.mark.parametrize(
    ("engines", "patience"), [([Held(FIRST)], Patience(0.3, restarts=3, pause=0.001))]
)
async def test_a_device_that_hangs_past_the_watchdog_is_restarted_and_its_callers_are_told(
    fleet: Fleet, engines: list[Held]
) -> None:
    fleet.spares += [mortal()]
    began = asyncio.get_running_loop().time()
    asked = [asyncio.create_task(fleet.lane.infer(pictures(1, 2), soon())) for _ in range(3)]
    for refused in asked:
        with pytest.raises(UnavailableError):
            await refused
    took = asyncio.get_running_loop().time() - began
    assert took >= fleet.patience.watchdog
    await until(lambda: fleet.ready == [False, True])
    engines[0].end(ALL)
    assert colours(await fleet.lane.infer(pictures(7), soon())) == [7]
    assert not engines[0].closed, "a thread of it hung"


@pytest.mark.parametrize(("engines", "patience"), [([Held(FIRST)], Patience(1.0, restarts=0))])
async def test_a_device_that_is_busy_for_longer_but_ends_its_batches_is_left_alone(
    fleet: Fleet, engines: list[Held]
) -> None:
    asked = pairs(fleet.lane, 8)
    for ended in range(8):
        asyncio.get_running_loop().call_later(0.2 * (1 + ended), engines[0].end)
    assert [colours(await task)[0] for task in asked] == [10, 20, 30, 40, 50, 60, 70, 80]
    assert (fleet.ready, fleet.loads) == ([], [])


async def test_restarts_that_fail_in_a_row_are_told_after_so_many(fleet: Fleet) -> None:
    with pytest.raises(UnavailableError):
        await fleet.kill()
    await asyncio.wait_for(fleet.supervisor.failed.wait(), 10)
    assert fleet.loads == [FIRST] * 3
    assert fleet.ready == [False]


async def test_a_device_that_falls_soon_after_each_restart_has_failed_in_a_row(
    fleet: Fleet,
) -> None:
    fleet.spares += [mortal(), mortal(), mortal()]
    for restarts in range(1, 4):
        with pytest.raises(UnavailableError):
            await fleet.kill()
        await until(lambda: len(fleet.ready) == 2 * restarts)  # noqa: B023 - awaited before the next
        assert not fleet.supervisor.failed.is_set()
    with pytest.raises(UnavailableError):
        await fleet.kill()
    await asyncio.wait_for(fleet.supervisor.failed.wait(), 10)


async def test_a_device_that_has_answered_for_long_starts_counting_anew(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "_PROVEN_S", 0.0)
    fleet.spares += [mortal() for _ in range(6)]
    for restarts in range(1, 7):
        with pytest.raises(UnavailableError):
            await fleet.kill()
        await until(lambda: len(fleet.ready) == 2 * restarts)  # noqa: B023 - awaited before the next
    assert not fleet.supervisor.failed.is_set()


@pytest.mark.parametrize("engines", [[mortal(FIRST), mortal(SECOND)]])
async def test_while_another_device_has_every_network_restarts_go_on(fleet: Fleet) -> None:
    with pytest.raises(UnavailableError):
        await fleet.kill()
    await until(lambda: len(fleet.loads) > 6)
    assert not fleet.supervisor.failed.is_set()
    assert fleet.ready == [True], "the service stays ready"
    assert colours(await fleet.lane.infer(pictures(7), soon())) == [7]
    with pytest.raises(UnavailableError):
        await fleet.kill()
    assert fleet.running.registry.dead() == [MODEL]
    await asyncio.wait_for(fleet.supervisor.failed.wait(), 10)
    assert {FIRST, SECOND} == set(fleet.loads)


@pytest.mark.parametrize("patience", [Patience(60, restarts=9, pause=0.05)])
async def test_each_restart_that_fails_doubles_the_pause_before_the_next(fleet: Fleet) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(UnavailableError):
        await fleet.kill()
    await until(lambda: len(fleet.loads) == 4)
    assert loop.time() - began >= 0.05 * (1 + 2 + 4 + 8)
