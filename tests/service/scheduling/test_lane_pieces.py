"""More pictures than a batch holds wait in pieces, and fail, leave and end as one."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.errors import DeadlineError, InternalError, UnavailableError
from service.scheduling.lane import Lane
from service.scheduling.scheduler import Scheduler
from tests.service.fakes import PATIENCE_S, POISON
from tests.service.lanes import (
    Engine,
    assert_nothing_untold,
    colours,
    occupied,
    pictures,
    queued,
    soon,
)
from tests.service.serving import until


async def test_more_pictures_than_a_batch_holds_are_run_in_several_calls(
    lane: Lane, engine: Engine, sizes: list[int]
) -> None:
    answer = await lane.infer(pictures(*range(1, 10)), soon())
    assert colours(answer) == list(range(1, 10))
    assert answer.maps["pixels"].shape == (9, 2, 2, 3)
    assert engine.batches == [[1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert all(size <= engine.max_batch for size in sizes), "what the engine was given at once"


async def test_between_the_pieces_of_a_crowd_there_is_room_for_others(
    lane: Lane, engine: Engine
) -> None:
    first = await occupied(lane, engine)
    crowd, few = await queued(lane, pictures(*range(1, 7)), pictures(8, 9))
    engine.held.set()
    await first
    assert colours(await crowd) == list(range(1, 7))
    assert colours(await few) == [8, 9]
    assert engine.batches == [[0], [1, 2, 3, 4], [5, 6, 8, 9]]


@pytest.mark.parametrize("poisoned", [0, 5, 11])
async def test_when_a_piece_fails_the_rest_is_not_run_and_nothing_is_left(
    lane: Lane, engine: Engine, caplog: pytest.LogCaptureFixture, poisoned: int
) -> None:
    first = await occupied(lane, engine)
    inputs = pictures(*range(20, 40))
    inputs[poisoned] = POISON
    engine.stuns = True
    (crowd,) = await queued(lane, inputs)
    engine.held.set()
    await until(lambda: any(POISON in batch for batch in engine.batches))
    await until(lambda: not engine.held.is_set())
    engine.held.set()  # the piece is run once more
    with pytest.raises(InternalError):
        await crowd
    engine.held.set()
    await first
    assert colours(await lane.infer(pictures(50), soon())) == [50]
    assert len(lane) == 0
    pieces = 2 + poisoned // 4
    assert pieces <= len(engine.batches) - 2 <= pieces + 1, "pieces were run in vain"
    assert_nothing_untold(caplog)


async def test_of_a_crowd_whose_caller_left_only_the_piece_under_way_is_run(
    lane: Lane, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.held.clear()
    crowd = asyncio.create_task(lane.infer(pictures(*range(1, 13)), soon()))
    assert await asyncio.to_thread(engine.entered.wait, PATIENCE_S)
    crowd.cancel()
    with pytest.raises(asyncio.CancelledError):
        await crowd
    engine.held.set()
    assert colours(await lane.infer(pictures(20), soon())) == [20]
    assert engine.batches == [[1, 2, 3, 4], [20]]
    assert len(lane) == 0
    assert_nothing_untold(caplog)


async def test_a_crowd_whose_deadline_passes_between_its_pieces_is_told_once(
    lane: Lane, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first = await occupied(lane, engine)
    crowd = asyncio.create_task(lane.infer(pictures(*range(1, 13)), soon(0)))
    await asyncio.sleep(0)
    engine.held.set()
    with pytest.raises(DeadlineError):
        await crowd
    await first
    assert engine.batches == [[0]]
    assert len(lane) == 0
    assert_nothing_untold(caplog)


async def test_a_crowd_that_waits_when_the_engine_closes_is_refused_once(
    scheduler: Scheduler, lane: Lane, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first = await occupied(lane, engine)
    (crowd,) = await queued(lane, pictures(*range(1, 13)))
    closing = asyncio.create_task(asyncio.to_thread(scheduler.close))
    with pytest.raises(UnavailableError):
        await crowd
    engine.held.set()
    await asyncio.gather(first, closing)
    assert engine.batches == [[0]]
    assert_nothing_untold(caplog)


async def test_a_crowd_waits_until_its_first_piece_is_run(
    scheduler: Scheduler, engine: Engine
) -> None:
    starts: list[float] = []
    lane = scheduler.add("network", [engine], lambda _: starts.append(time.monotonic()))
    began = time.monotonic()
    answer = await lane.infer(pictures(*range(1, 13), side=200), soon())
    took = time.monotonic() - began
    assert len(starts) == 3
    assert answer.queued <= starts[0] - began
    assert starts[2] - starts[0] <= answer.inferred <= took - answer.queued


async def test_one_picture_behind_a_crowd_waits_for_a_few_of_them_only(
    lane: Lane, engine: Engine
) -> None:
    first = await occupied(lane, engine)
    crowd, one = await queued(lane, pictures(*range(60, 100)), pictures(50))
    engine.held.set()
    await first
    assert colours(await one) == [50]
    assert colours(await crowd) == list(range(60, 100))
    behind = next(index for index, batch in enumerate(engine.batches) if 50 in batch)
    assert behind <= 4, "it waited for the whole crowd"
