"""Devices share a network's queue, keep a batch ahead, and fail without the others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from engines.catalog import find
from engines.model import Model
from engines.runtime.engine import Batch, Maps
from service.errors import UnavailableError
from service.estimate import Query
from service.scheduling.scheduler import Scheduler
from tests.service.devices import ALL, NAMES, add, pair, pairs, started
from tests.service.fakes import AtOnce, Held
from tests.service.lanes import assert_nothing_untold, colours, pictures, soon
from tests.service.serving import BLANK, MODEL, Stepping, nobody, service, until


@pytest.fixture
def busy() -> list[float]:
    """Seconds for which devices had batches under way."""
    return []


@pytest.fixture
def scheduler(busy: list[float], caplog: pytest.LogCaptureFixture) -> Iterator[Scheduler]:
    scheduler = Scheduler(lambda _, seconds: busy.append(seconds))
    yield scheduler
    scheduler.close()
    assert_nothing_untold(caplog)


@pytest.mark.parametrize("ahead", [0, 1, 2])
async def test_the_next_batches_are_started_while_one_runs(
    scheduler: Scheduler, ahead: int
) -> None:
    engine = Held("cuda:0", ahead)
    lane = add(scheduler, [engine])
    asked = pairs(lane, 6)
    for ended in range(6):
        await started((engine, min(6, ended + 1 + ahead)))
        engine.end()
        assert colours(await asked[ended]) == [10 * ended + 10, 10 * ended + 11]
    assert [batch[0] for batch in engine.started] == [10, 20, 30, 40, 50, 60]
    assert engine.most_under_way == 1 + ahead


async def test_a_batch_that_comes_late_is_started_while_another_runs(scheduler: Scheduler) -> None:
    engine = Held("cuda:0")
    lane = add(scheduler, [engine])
    early = pair(lane, 2, 3)
    await started((engine, 1))
    late = pair(lane, 4, 5)
    await started((engine, 2))
    engine.end(ALL)
    assert (colours(await early), colours(await late)) == ([2, 3], [4, 5])


@pytest.mark.parametrize("count", [2, 3])
async def test_the_least_loaded_device_gets_the_next_batch(
    scheduler: Scheduler, count: int
) -> None:
    engines = [Held(name) for name in NAMES[:count]]
    lane = add(scheduler, engines)
    asked = pairs(lane, count)
    await started(*((engine, 1) for engine in engines))
    for engine in engines:
        engine.end(ALL)
    assert [colours(await task) for task in asked] == [[10, 11], [20, 21], [30, 31]][:count]


async def test_devices_fill_up_evenly_and_go_on_where_one_is_done(scheduler: Scheduler) -> None:
    first, second = engines = [Held(name) for name in NAMES[:2]]
    lane = add(scheduler, engines)
    asked = pairs(lane, 6)
    await started((first, 2), (second, 2))
    assert len(lane) == 4
    second.end(2)
    await started((first, 2), (second, 4))
    first.end(ALL)
    second.end(ALL)
    assert [colours(await task)[0] for task in asked] == [10, 20, 30, 40, 50, 60]
    assert [engine.most_under_way for engine in engines] == [2, 2]


async def test_a_crowd_alone_fills_every_device(scheduler: Scheduler) -> None:
    engines = [Held(name) for name in NAMES[:2]]
    lane = add(scheduler, engines)
    crowd = pair(lane, *range(20, 40))
    await started(*((engine, 2) for engine in engines))
    assert len(lane) == Held.max_batch, "the next piece is there"
    for engine in engines:
        engine.end(ALL)
    assert colours(await crowd) == list(range(20, 40))


async def test_networks_of_one_device_take_turns_by_age(scheduler: Scheduler) -> None:
    poses, people = Held("cuda:0", ahead=0), Held("cuda:0", ahead=0)
    people.started = poses.started
    one, other = add(scheduler, [poses], "poses"), add(scheduler, [people], "people")
    lanes = [one, other, other, one, other, one]
    asked = [pair(lane, 10 * index, 50) for index, lane in enumerate(lanes, 1)]
    await until(lambda: len(one) == 4 and len(other) == 6)
    poses.end(ALL)
    people.end(ALL)
    for task in asked:
        await task
    assert [batch[0] for batch in poses.started] == [10, 20, 30, 40, 50, 60]


async def test_a_processor_never_runs_two_engines_at_once(scheduler: Scheduler) -> None:
    met: list[bool] = []
    place = threading.Barrier(2)

    class Meeting(AtOnce):
        name, max_batch = "test", 1

        def infer(self, batch: Batch) -> Maps:
            try:
                place.wait(0.05)
                met.append(True)
            except threading.BrokenBarrierError:
                place.reset()
            return {"colour": np.zeros((len(batch), 1), np.float32)}

    lanes = [add(scheduler, [Meeting()], network) for network in ("poses", "people")]
    await asyncio.gather(*(lane.infer(pictures(1), soon()) for lane in lanes * 3))
    assert not met


async def test_closing_finishes_what_was_started_and_refuses_the_rest(
    scheduler: Scheduler,
) -> None:
    engines = [Held(name) for name in NAMES[:2]]
    lane = add(scheduler, engines)
    asked = pairs(lane, 5)
    await started(*((engine, 2) for engine in engines))
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    with pytest.raises(UnavailableError):
        await asked.pop()
    assert not any(engine.closed for engine in engines)
    for engine in engines:
        engine.end(2)
    assert [colours(await task)[0] for task in asked] == [10, 20, 30, 40]
    await closing
    assert all(engine.closed for engine in engines)
    assert not any(device.alive for device in scheduler.devices.values())


async def test_time_in_which_batches_overlap_is_counted_once(
    scheduler: Scheduler, busy: list[float]
) -> None:
    loop = asyncio.get_running_loop()
    engine = Held("cuda:0", ahead=2)
    lane = add(scheduler, [engine])
    began = loop.time()
    asked = pairs(lane, 3)
    await started((engine, 3))
    engine.end(ALL)
    answers = [await task for task in asked]
    took = loop.time() - began
    await until(lambda: len(busy) == 3)
    assert answers[0].inferred <= sum(busy)
    assert sum(busy[:2]) <= took


async def test_a_model_is_served_by_all_its_devices_and_the_metrics_show_each() -> None:
    engines = [Held(name) for name in NAMES[:2]]
    for engine in engines:
        engine.max_batch = 1
    first, *others = ({"network": engine} for engine in engines)
    model = Model(find(MODEL), Stepping(nobody), first, tuple(others))
    with service(model) as running:
        query = Query(MODEL, soon())
        asked = [asyncio.create_task(running.estimator.estimate(BLANK, query)) for _ in range(4)]
        await started(*((engine, 2) for engine in engines))
        for name in NAMES[:2]:
            assert running.count("pose_device_batches", device=name) == 2
            assert running.count("pose_device_up", device=name) == 1
            assert running.count("pose_device_busy_seconds_total", device=name) == 0
        for engine in engines:
            engine.end(ALL)
        await asyncio.gather(*asked)
        for name in NAMES[:2]:
            ended = partial(running.count, "pose_device_batches", device=name)
            await until(lambda: ended() == 0)  # noqa: B023 - awaited before the next
            assert running.count("pose_device_busy_seconds_total", device=name) > 0
        assert running.count("pose_batch_size_count", model=MODEL) == 4
