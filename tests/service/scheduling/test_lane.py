"""Callers share batches, and each is answered for itself."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from service.errors import DeadlineError, InternalError, UnavailableError
from service.scheduling.lane import Lane
from service.scheduling.scheduler import Scheduler
from tests.service.fakes import PATIENCE_S, POISON
from tests.service.lanes import (
    Engine,
    colours,
    occupied,
    pictures,
    queued,
    soon,
)
from tests.service.serving import until


async def test_a_picture_is_answered_with_its_maps_and_times(lane: Lane) -> None:
    answer = await lane.infer(pictures(7), soon())
    assert colours(answer) == [7]
    assert answer.maps["pixels"].shape == (1, 2, 2, 3)
    assert 0 <= answer.queued < PATIENCE_S
    assert 0 <= answer.inferred < PATIENCE_S


async def test_callers_of_a_shared_batch_get_their_own_maps(
    lane: Lane, engine: Engine, sizes: list[int]
) -> None:
    first = await occupied(lane, engine)
    others = await queued(lane, pictures(1), pictures(2, 3), pictures(4))
    engine.held.set()
    answers = await asyncio.gather(first, *others)
    assert [colours(answer) for answer in answers] == [[0], [1], [2, 3], [4]]
    assert engine.batches == [[0], [1, 2, 3, 4]]
    assert sizes == [1, 4]
    assert len(lane) == 0
    for one in answers[1:]:
        for other in answers[1:]:
            same = np.shares_memory(one.maps["pixels"], other.maps["pixels"])
            assert same == (one is other)


async def test_pictures_of_different_sizes_do_not_share_a_batch(lane: Lane, engine: Engine) -> None:
    first = await occupied(lane, engine)
    others = await queued(lane, pictures(1), pictures(2, side=4), pictures(3))
    engine.held.set()
    answers = await asyncio.gather(first, *others)
    assert [colours(answer) for answer in answers] == [[0], [1], [2], [3]]
    assert engine.batches == [[0], [1, 3], [2]]


async def test_an_engine_that_raises_fails_those_only_on_which_it_raises_again_alone(
    lane: Lane, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first = await occupied(lane, engine)
    poison, beside, poison_too, apart = await queued(
        lane, pictures(POISON), pictures(2), pictures(POISON), pictures(3, side=4)
    )
    engine.held.set()
    answers = await asyncio.gather(first, beside, apart)
    assert [colours(answer) for answer in answers] == [[0], [2], [3]]
    errors = await asyncio.gather(poison, poison_too, return_exceptions=True)
    assert [type(error) for error in errors] == [InternalError, InternalError]
    assert errors[0] is not errors[1], "each caller may add its own traceback"
    assert "a fault of the driver" not in str(errors[0])
    assert engine.batches == [[0], [POISON, 2, POISON], [POISON], [2], [POISON], [3]]
    assert "a fault of the driver" in caplog.text
    assert lane.alive
    assert colours(await lane.infer(pictures(5), soon())) == [5]


async def test_an_engine_that_raises_on_one_picture_gets_it_once_more(
    lane: Lane, engine: Engine
) -> None:
    with pytest.raises(InternalError):
        await lane.infer(pictures(POISON), soon())
    assert engine.batches == [[POISON], [POISON]]


async def test_of_a_batch_that_failed_only_what_is_still_wanted_is_run_again(
    scheduler: Scheduler, engine: Engine
) -> None:
    lane = scheduler.add("network", [engine], lambda _: None, PATIENCE_S)
    engine.held.clear()
    poison, left, late, stays = (
        asyncio.create_task(lane.infer(pictures(colour), soon(seconds)))
        for colour, seconds in ((POISON, 60), (1, 60), (2, 0.2), (3, 60))
    )
    assert await asyncio.to_thread(engine.entered.wait, PATIENCE_S)
    left.cancel()
    passed = soon(0.2)
    await until(lambda: time.monotonic() > passed)
    engine.held.set()
    for refused, error in ((poison, InternalError), (late, DeadlineError)):
        with pytest.raises(error):
            await refused
    assert colours(await stays) == [3]
    assert engine.batches == [[POISON, 1, 2, 3], [POISON], [3]]


async def test_pictures_of_callers_who_left_never_reach_the_engine(
    lane: Lane, engine: Engine
) -> None:
    first = await occupied(lane, engine)
    left, stayed = await queued(lane, pictures(1), pictures(2))
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    engine.held.set()
    await asyncio.gather(first, stayed)
    assert engine.batches == [[0], [2]]


async def test_a_caller_may_leave_while_the_engine_runs_its_picture(
    lane: Lane, engine: Engine
) -> None:
    first = await occupied(lane, engine)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    engine.held.set()
    assert colours(await lane.infer(pictures(5), soon())) == [5]


async def test_a_picture_whose_deadline_passed_never_reaches_the_engine(
    lane: Lane, engine: Engine
) -> None:
    with pytest.raises(DeadlineError):
        await lane.infer(pictures(1), soon(-1))
    assert colours(await lane.infer(pictures(2), soon())) == [2]
    assert engine.batches == [[2]]


async def test_closing_answers_what_waits_and_ends_after_the_current_batch(
    scheduler: Scheduler, lane: Lane, engine: Engine
) -> None:
    first = await occupied(lane, engine)
    (waits,) = await queued(lane, pictures(1))
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    with pytest.raises(UnavailableError):
        await waits
    assert not engine.closed
    engine.held.set()
    assert colours(await first) == [0]
    await closing
    assert engine.closed
    assert not lane.alive
    assert engine.batches == [[0]]


async def test_a_closed_lane_refuses(scheduler: Scheduler, lane: Lane) -> None:
    scheduler.close()
    with pytest.raises(UnavailableError):
        await lane.infer(pictures(1), soon())


async def test_an_idle_engine_wakes_for_a_late_request(lane: Lane) -> None:
    for colour in (1, 2, 3):
        assert colours(await lane.infer(pictures(colour), soon())) == [colour]


async def test_with_a_delay_a_batch_waits_for_company(
    scheduler: Scheduler, engine: Engine, sizes: list[int]
) -> None:
    lane = scheduler.add("network", [engine], lambda ran: sizes.append(ran.pictures), PATIENCE_S)
    calls = (lane.infer(pictures(colour), soon(60)) for colour in (1, 2, 3, 4))
    answers = await asyncio.gather(*calls)
    assert [colours(answer) for answer in answers] == [[1], [2], [3], [4]]
    assert sizes == [4]


def test_a_loop_that_ended_does_not_stop_the_engine(lane: Lane, engine: Engine) -> None:
    async def leave() -> None:
        (await occupied(lane, engine)).cancel()

    asyncio.run(leave())
    engine.held.set()

    async def ask() -> list[int]:
        async with asyncio.timeout(1):
            return colours(await lane.infer(pictures(5), soon()))

    assert asyncio.run(ask()) == [5]
