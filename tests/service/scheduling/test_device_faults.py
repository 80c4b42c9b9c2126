"""A batch fails without those beside it, and a device without the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from functools import partial

import numpy as np
import pytest

from engines.runtime.engine import Batch, Maps, Pending
from service.errors import InternalError, ServiceError, UnavailableError
from service.scheduling.answers import Answer, Ran
from service.scheduling.device import Device
from service.scheduling.lane import Lane
from service.scheduling.scheduler import Scheduler
from service.telemetry.metrics import Metrics
from tests.service.devices import ALL, add, pair, pairs, started
from tests.service.fakes import POISON, AtOnce, Held
from tests.service.lanes import assert_nothing_untold, colours, pictures, soon
from tests.service.serving import until

TOO_MUCH = 99  # the colour of a picture that no engine has room for


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
    await until(lambda: len(engine.started) >= 3)
    engine.end(ALL)
    with pytest.raises(InternalError) as failed:
        await fails
    assert "driver" not in str(failed.value)
    assert "a fault of the driver" in caplog.text
    assert (colours(await before), colours(await after)) == ([2, 3], [4, 5])
    assert engine.started.count(list(poisoned)) == 2, "it was retried once"
    assert colours(await pair(lane, 6, 7)) == [6, 7]


@pytest.mark.parametrize("ahead", [0, 1, 2])
async def test_a_batch_that_fails_is_retried_one_by_one_while_others_run(
    scheduler: Scheduler, ahead: int
) -> None:
    engine = Held("cuda:0", ahead)
    lane = add(scheduler, [engine])
    first = [pair(lane, index, index + 1) for index in (20, 22, 24)[: 1 + ahead]]
    await started((engine, 1 + ahead))
    alone = [asyncio.create_task(lane.infer(pictures(one), soon())) for one in (1, POISON)]
    last = pair(lane, 30, 31)
    engine.end(ALL)
    for task in (*first, last):
        await task
    assert colours(await alone[0]) == [1]
    with pytest.raises(InternalError):
        await alone[1]
    assert [batch for batch in engine.started if len(batch) == 1] == [[1], [POISON]]


async def test_a_device_that_dies_leaves_the_network_to_another(scheduler: Scheduler) -> None:
    dies, lives = Held("cuda:0", fault=SystemExit()), Held("cuda:1")
    lane = add(scheduler, [dies, lives])
    had = pairs(lane, 4)
    await started((dies, 2), (lives, 2))
    poison = pair(lane, POISON, 1)
    dies.end(1)
    with pytest.raises(UnavailableError):
        await poison
    await until(lambda: not scheduler.devices["cuda:0"].alive)
    assert scheduler.devices["cuda:1"].alive
    assert lane.width == 1
    after = pairs(lane, 4)
    dies.end(1)
    lives.end(ALL)
    assert [colours(await task)[0] for task in had] == [10, 20, 30, 40], "what was under way"
    assert [colours(await task)[0] for task in after] == [10, 20, 30, 40]
    assert len(dies.started) == 3


async def test_what_waits_for_the_last_device_is_refused_when_it_dies(
    scheduler: Scheduler,
) -> None:
    engine = Held("cuda:0", fault=SystemExit())
    fallen: list[Device] = []
    scheduler.watch(fallen.append)
    lane = add(scheduler, [engine])
    first, second, poison, waits = (
        pair(lane, *two) for two in ((2, 3), (4, 5), (POISON, 1), (6, 7))
    )
    await started((engine, 2))
    engine.end(ALL)
    for refused in (poison, waits):
        with pytest.raises(UnavailableError):
            await refused
    assert (colours(await first), colours(await second)) == ([2, 3], [4, 5])
    await until(lambda: not lane.alive)
    assert (len(lane), scheduler.devices["cuda:0"].under_way) == (0, 0)
    assert fallen == [scheduler.devices["cuda:0"]]
    with pytest.raises(UnavailableError):
        await pair(lane, 8, 9)


async def test_when_nobody_is_left_to_wait_for_what_is_under_way_it_is_refused(
    scheduler: Scheduler,
) -> None:
    engine = Held("cuda:0", fault=SystemExit())
    fallen: list[Device] = []
    scheduler.watch(fallen.append)
    lane = add(scheduler, [engine])
    asked = [pair(lane, *two) for two in ((1, POISON), (2, 3), (4, 5))]
    await started((engine, 2))
    engine.end(1)
    for refused in asked:
        with pytest.raises(UnavailableError):
            await refused
    assert [device.given_up for device in fallen] == [True]
    assert not lane.alive


async def test_a_device_that_hangs_is_given_up_and_changes_nothing_when_it_comes_back(
    scheduler: Scheduler,
) -> None:
    hangs, other = Held("cuda:0"), Held("cuda:0")
    batches: list[Ran] = []
    lane = scheduler.add("network", [hangs], batches.append)
    asked = pairs(lane, 3)
    await started((hangs, 2))
    device = scheduler.devices["cuda:0"]
    device.give_up()
    for refused in asked:
        with pytest.raises(UnavailableError):
            await refused
    assert device.hangs
    scheduler.replace("cuda:0", {"network": other})
    again = pairs(lane, 2)
    await started((other, 2))
    hangs.end(ALL)
    await until(lambda: not device.hangs)
    assert (scheduler.devices["cuda:0"].under_way, batches) == (2, [])
    other.end(ALL)
    assert [colours(await task) for task in again] == [[10, 11], [20, 21]]
    await until(lambda: len(batches) == 2)


async def test_closing_does_not_wait_for_a_device_that_hangs(scheduler: Scheduler) -> None:
    hangs, other = Held("cuda:0"), Held("cuda:1")
    waits = pair(add(scheduler, [hangs], "one"), 1, 2)
    ends = pair(add(scheduler, [other], "other"), 3, 4)
    await started((hangs, 1), (other, 1))
    other.end()
    await asyncio.to_thread(scheduler.close, 0.2)
    with pytest.raises(UnavailableError):
        await waits
    assert colours(await ends) == [3, 4]
    assert (scheduler.hangs, hangs.closed, other.closed) == (True, False, True)
    hangs.end()
    await until(lambda: not scheduler.hangs)


@pytest.mark.parametrize("ahead", [0, 1])
async def test_a_device_that_fails_again_and_again_dies_if_it_fails_at_a_blank_picture_too(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture, ahead: int
) -> None:
    engine = Broken(ahead)
    lane = add(scheduler, [engine])
    assert colours(await one(lane, 5)) == [5]
    engine.broken = True
    refused = [await outcome(one(lane, 5)) for _ in range(3)]
    assert refused == [InternalError, UnavailableError, UnavailableError]
    assert engine.runs == [5, 5, 5, 5, 0], "each once more, and the blank one"
    assert not scheduler.devices["cuda:0"].alive
    assert "trying a blank picture" in caplog.text


@pytest.mark.parametrize("ahead", [0, 1])
async def test_a_client_who_sends_poison_again_and_again_does_not_end_a_device(
    scheduler: Scheduler, ahead: int
) -> None:
    engine = Broken(ahead)
    lane = add(scheduler, [engine])
    assert colours(await one(lane, 5)) == [5]
    refused = [await outcome(one(lane, POISON)) for _ in range(10)]
    assert refused == [InternalError] * 10
    assert scheduler.devices["cuda:0"].alive
    assert colours(await one(lane, 5)) == [5]


async def test_without_memory_for_a_batch_it_is_run_in_halves_and_batches_are_smaller_from_then_on(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Small(room=2)
    lane = add(scheduler, [engine])
    assert colours(await lane.infer(pictures(*range(1, 8)), soon())) == list(range(1, 8))
    assert engine.sizes == [7, 4, 2, 2, 3, 2, 1]
    assert lane.max_batch == 2
    assert colours(await lane.infer(pictures(*range(1, 8)), soon())) == list(range(1, 8))
    assert engine.sizes[7:] == [2, 2, 2, 1]
    assert caplog.text.count("has no room for") == 2, "once a change"


async def test_a_single_picture_without_memory_for_it_fails_alone(scheduler: Scheduler) -> None:
    engine = Small(room=2)
    lane = add(scheduler, [engine])
    with pytest.raises(InternalError, match="memory"):
        await lane.infer(pictures(TOO_MUCH), soon())
    beside = [asyncio.create_task(one(lane, colour)) for colour in (1, TOO_MUCH, 2)]
    answers = await asyncio.gather(*beside, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Answer, InternalError, Answer]
    assert scheduler.devices["cuda:0"].alive


def test_two_engines_of_a_network_on_one_device_are_refused(scheduler: Scheduler) -> None:
    with pytest.raises(ValueError, match="cuda:0"):
        add(scheduler, [Held("cuda:0"), Held("cuda:0")])


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


class Broken(AtOnce):
    """An engine with a fault that stays, once it is `broken`, and none for poison before."""

    name, max_batch, device = "test", 1, "cuda:0"

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self.broken = False
        self.runs: list[int] = []

    def start(self, batch: Batch) -> Pending:
        return partial(self.infer, batch)

    def infer(self, batch: Batch) -> Maps:
        colour = int(batch[0, 0, 0, 0])
        self.runs.append(colour)
        if self.broken or colour == POISON:
            raise RuntimeError("a fault of the driver")
        return {"colour": np.array([[colour]], np.float32)}


class Small(AtOnce):
    """An engine on a device with room for so many pictures, and none for some of them."""

    name, max_batch, device = "test", 8, "cuda:0"

    def __init__(self, room: int) -> None:
        self.sizes: list[int] = []
        self._room = room

    def infer(self, batch: Batch) -> Maps:
        self.sizes.append(len(batch))
        colours = batch[:, 0, 0, 0]
        if len(batch) > self._room or TOO_MUCH in colours:
            raise MemoryError("cuda:0 has no room")
        return {"colour": colours.astype(np.float32)[:, None]}


async def one(lane: Lane, colour: int) -> Answer:
    return await lane.infer(pictures(colour), soon())


async def outcome(asked: Awaitable[Answer]) -> type[object]:
    """The type of an answer, or of an error."""
    try:
        return type(await asked)
    except ServiceError as error:
        return type(error)
