"""A batch fails without those beside it, and a device without the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from service.errors import InternalError, UnavailableError
from service.metrics import Metrics
from service.scheduler import Scheduler
from tests.service.devices import ALL, add, pair, pairs, started
from tests.service.fakes import POISON, Held
from tests.service.lanes import assert_nothing_untold, colours
from tests.service.serving import until


@pytest.fixture
def scheduler(caplog: pytest.LogCaptureFixture) -> Iterator[Scheduler]:
    scheduler = Scheduler(Metrics().count_busy)
    yield scheduler
    scheduler.close()
    assert_nothing_untold(caplog)


@pytest.mark.parametrize("poisoned", [(POISON, 1), (1, POISON)], ids=["started", "waited for"])
async def test_a_batch_that_fails_beside_others_fails_alone(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture, poisoned: tuple[int, int]
) -> None:
    engine = Held("cuda:0", ahead=2)
    lane = add(scheduler, [engine])
    before, fails, after = pair(lane, 2, 3), pair(lane, *poisoned), pair(lane, 4, 5)
    await started((engine, 3))
    engine.end(ALL)
    with pytest.raises(InternalError) as failed:
        await fails
    assert "driver" not in str(failed.value)
    assert "a fault of the driver" in caplog.text
    assert (colours(await before), colours(await after)) == ([2, 3], [4, 5])
    assert colours(await pair(lane, 6, 7)) == [6, 7]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_device_that_dies_leaves_the_network_to_another(scheduler: Scheduler) -> None:
    dies, lives = Held("cuda:0", fault=SystemExit()), Held("cuda:1")
    lane = add(scheduler, [dies, lives])
    had = pairs(lane, 4)
    await started((dies, 2), (lives, 2))
    poison = pair(lane, POISON, 1)
    dies.end(1)
    with pytest.raises(InternalError):
        await poison
    await until(lambda: not scheduler.devices["cuda:0"].alive)
    assert scheduler.devices["cuda:1"].alive
    assert lane.alive
    after = pairs(lane, 4)
    dies.end(1)
    lives.end(ALL)
    assert [colours(await task)[0] for task in had] == [10, 20, 30, 40], "what was under way"
    assert [colours(await task)[0] for task in after] == [10, 20, 30, 40]
    assert len(dies.started) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_what_waits_for_the_last_device_is_refused_when_it_dies(
    scheduler: Scheduler,
) -> None:
    engine = Held("cuda:0", fault=SystemExit())
    lane = add(scheduler, [engine])
    first, second, poison, waits = (
        pair(lane, *two) for two in ((2, 3), (4, 5), (POISON, 1), (6, 7))
    )
    await started((engine, 2))
    engine.end(ALL)
    for refused, error in ((poison, InternalError), (waits, UnavailableError)):
        with pytest.raises(error):
            await refused
    assert (colours(await first), colours(await second)) == ([2, 3], [4, 5])
    await until(lambda: not lane.alive)
    assert (len(lane), scheduler.devices["cuda:0"].under_way) == (0, 0)
    with pytest.raises(UnavailableError):
        await pair(lane, 8, 9)


async def test_an_engine_that_does_not_close_keeps_no_other_from_closing(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    class Stuck(Held):
        def close(self) -> None:
            raise RuntimeError("a fault of the driver")

    other = Held("cuda:1")
    add(scheduler, [Stuck("cuda:0"), other])
    await asyncio.to_thread(scheduler.close)
    assert other.closed
    assert "a fault of the driver" in caplog.text
