"""Callers share batches, and each is answered for itself."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from service.errors import DeadlineError, InternalError, UnavailableError
from service.worker import Answer, Worker
from tests.service.workers import (
    PATIENCE_S,
    POISON,
    Engine,
    colours,
    occupied,
    pictures,
    queued,
    soon,
)


async def test_a_picture_is_answered_with_its_maps_and_times(worker: Worker) -> None:
    answer = await worker.infer(pictures(7), soon())
    assert colours(answer) == [7]
    assert answer.maps["pixels"].shape == (1, 2, 2, 3)
    assert 0 <= answer.queued < PATIENCE_S
    assert 0 <= answer.inferred < PATIENCE_S


async def test_callers_of_a_shared_batch_get_their_own_maps(
    worker: Worker, engine: Engine, sizes: list[int]
) -> None:
    first = await occupied(worker, engine)
    others = await queued(worker, pictures(1), pictures(2, 3), pictures(4))
    engine.held.set()
    answers = await asyncio.gather(first, *others)
    assert [colours(answer) for answer in answers] == [[0], [1], [2, 3], [4]]
    assert engine.batches == [[0], [1, 2, 3, 4]]
    assert sizes == [1, 4]
    assert len(worker) == 0
    for one in answers[1:]:
        for other in answers[1:]:
            same = np.shares_memory(one.maps["pixels"], other.maps["pixels"])
            assert same == (one is other)


async def test_pictures_of_different_sizes_do_not_share_a_batch(
    worker: Worker, engine: Engine
) -> None:
    first = await occupied(worker, engine)
    others = await queued(worker, pictures(1), pictures(2, side=4), pictures(3))
    engine.held.set()
    answers = await asyncio.gather(first, *others)
    assert [colours(answer) for answer in answers] == [[0], [1], [2], [3]]
    assert engine.batches == [[0], [1, 3], [2]]


async def test_an_engine_that_raises_fails_that_batch_only(
    worker: Worker, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    first = await occupied(worker, engine)
    others = await queued(worker, pictures(POISON), pictures(2), pictures(3, side=4))
    engine.held.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(result) for result in results] == [Answer, InternalError, InternalError, Answer]
    assert results[1] is not results[2], "each caller may add its own traceback"
    assert "a fault of the driver" not in str(results[1])
    assert "a fault of the driver" in caplog.text
    assert worker.alive
    assert colours(await worker.infer(pictures(5), soon())) == [5]


async def test_pictures_of_callers_who_left_never_reach_the_engine(
    worker: Worker, engine: Engine
) -> None:
    first = await occupied(worker, engine)
    left, stayed = await queued(worker, pictures(1), pictures(2))
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    engine.held.set()
    await asyncio.gather(first, stayed)
    assert engine.batches == [[0], [2]]


async def test_a_caller_may_leave_while_the_engine_runs_its_picture(
    worker: Worker, engine: Engine
) -> None:
    first = await occupied(worker, engine)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    engine.held.set()
    assert colours(await worker.infer(pictures(5), soon())) == [5]


async def test_a_picture_whose_deadline_passed_never_reaches_the_engine(
    worker: Worker, engine: Engine
) -> None:
    with pytest.raises(DeadlineError):
        await worker.infer(pictures(1), soon(-1))
    assert colours(await worker.infer(pictures(2), soon())) == [2]
    assert engine.batches == [[2]]


async def test_closing_answers_what_waits_and_ends_after_the_current_batch(
    worker: Worker, engine: Engine
) -> None:
    first = await occupied(worker, engine)
    (waits,) = await queued(worker, pictures(1))
    closing = asyncio.create_task(asyncio.to_thread(worker.close))
    with pytest.raises(UnavailableError):
        await waits
    assert not engine.closed
    engine.held.set()
    assert colours(await first) == [0]
    await closing
    assert engine.closed
    assert not worker.alive
    assert engine.batches == [[0]]


async def test_a_closed_worker_refuses(worker: Worker) -> None:
    worker.close()
    with pytest.raises(UnavailableError):
        await worker.infer(pictures(1), soon())


async def test_an_idle_worker_wakes_for_a_late_request(worker: Worker) -> None:
    for colour in (1, 2, 3):
        assert colours(await worker.infer(pictures(colour), soon())) == [colour]


async def test_with_a_delay_a_batch_waits_for_company(engine: Engine, sizes: list[int]) -> None:
    worker = Worker("engine-test", engine, PATIENCE_S, sizes.append)
    calls = (worker.infer(pictures(colour), soon(60)) for colour in (1, 2, 3, 4))
    answers = await asyncio.gather(*calls)
    worker.close()
    assert [colours(answer) for answer in answers] == [[1], [2], [3], [4]]
    assert sizes == [4]


def test_a_loop_that_ended_does_not_stop_the_engine(worker: Worker, engine: Engine) -> None:
    async def leave() -> None:
        (await occupied(worker, engine)).cancel()

    asyncio.run(leave())
    engine.held.set()

    async def ask() -> list[int]:
        async with asyncio.timeout(1):
            return colours(await worker.infer(pictures(5), soon()))

    assert asyncio.run(ask()) == [5]
