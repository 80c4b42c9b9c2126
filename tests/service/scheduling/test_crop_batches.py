"""Crops of all requests share batches, and leave nothing behind whatever becomes of a request."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence

import pytest

from engines.people import People
from service.admission import State
from service.errors import DeadlineError, InternalError, UnavailableError
from service.estimate import Estimate, Query
from tests.service.fakes import PATIENCE_S
from tests.service.lanes import assert_nothing_untold
from tests.service.lights import (
    BEST_FIRST,
    BOXES,
    DETECTOR,
    LIGHTS,
    PICTURE,
    POISONED,
    POSES,
    Box,
    Eyes,
    centre,
    detecting,
    seeing,
)
from tests.service.serving import Gate, Service, service, until

Boxes = Sequence[Box] | None
CROWD = BOXES * 5  # 20 people
AHEAD = 8  # crops of one request that wait at once: two batches


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def detector() -> Gate:
    return Gate("cuda:1")  # it runs though the eyes are held


@pytest.fixture
def running(eyes: Eyes, detector: Gate, caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    models = seeing(eyes), detecting(*BOXES, engine=detector)
    with service(*models, detector=DETECTOR, max_images=64) as serving:
        try:
            yield serving
        finally:
            eyes.opened.set()
            detector.opened.set()
    assert_nothing_untold(caplog)


def asking(
    running: Service, boxes: Boxes, image: bytes = PICTURE, seconds: float = PATIENCE_S
) -> asyncio.Task[Estimate]:
    """A request under way; without boxes the detector finds the people."""
    given = None if boxes is None else People.at(boxes).boxes
    query = Query(POSES, time.monotonic() + seconds, boxes=given)
    return asyncio.create_task(running.estimator.estimate(image, query))


async def waiting(running: Service, crops: int) -> None:
    """Until so many crops wait for the engine."""
    await until(lambda: running.count("pose_queue_depth", model=POSES) == crops)


async def occupied(running: Service, eyes: Eyes) -> asyncio.Task[Estimate]:
    """A request of one crop that keeps the engine until the eyes are opened."""
    eyes.opened.clear()
    task = asking(running, BOXES[:1])
    await until(lambda: eyes.batches == [1])
    return task


async def assert_well(running: Service, eyes: Eyes) -> None:
    """That nothing is left of what went before, and the next request is answered."""
    await until(lambda: running.admission.inside == 0)
    eyes.opened.set()
    assert_seen(await asking(running, BOXES), BOXES)
    for model in (POSES, DETECTOR):
        assert running.count("pose_queue_depth", model=model) == 0


def assert_seen(estimate: Estimate, boxes: Sequence[Box]) -> None:
    """That these very people were seen, in this order."""
    people = estimate.people
    assert [tuple(box) for box in people.boxes.tolist()] == list(boxes)
    assert people.scores == pytest.approx([LIGHTS[box] / 255 for box in boxes])
    for keypoints, box in zip(people.keypoints, boxes, strict=True):
        assert (keypoints[:, :2] == centre(box)).all()


async def test_crops_of_several_requests_share_batches_and_are_told_apart(
    running: Service, eyes: Eyes
) -> None:
    first = await occupied(running, eyes)
    many, few = (*BOXES, BOXES[1], BOXES[0]), BOXES[2:]
    second = asking(running, many)
    await waiting(running, 6)
    third = asking(running, few)
    await waiting(running, 8)
    eyes.opened.set()
    assert_seen(await first, BOXES[:1])
    assert_seen(await second, many)
    assert_seen(await third, few)
    assert eyes.batches == [1, 4, 4]
    assert running.count("pose_batch_size_count", model=POSES) == 3
    assert running.count("pose_batch_size_sum", model=POSES) == 9


@pytest.mark.parametrize("max_batch", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("flip", [False, True])
async def test_an_engine_is_never_given_more_than_its_batch(max_batch: int, flip: bool) -> None:
    eyes = Eyes(max_batch)
    with service(seeing(eyes, flip=flip), max_images=4) as running:
        for estimate in await asyncio.gather(*(asking(running, CROWD) for _ in range(4))):
            assert_seen(estimate, CROWD)
    assert max(eyes.batches) <= max_batch
    assert sum(eyes.batches) == 4 * len(CROWD) * (1 + flip)


async def test_people_of_a_detector_share_batches_with_boxes_that_were_given(
    running: Service, eyes: Eyes, detector: Gate
) -> None:
    detector.opened.set()
    first = await occupied(running, eyes)
    found = asking(running, None)
    await waiting(running, 4)
    given = asking(running, BOXES[1:])
    await waiting(running, 7)
    eyes.opened.set()
    assert_seen(await first, BOXES[:1])
    assert_seen(await found, BEST_FIRST)
    assert_seen(await given, BOXES[1:])
    assert eyes.batches == [1, 4, 3]


async def test_a_crowd_on_which_the_engine_fails_fails_alone(
    running: Service, eyes: Eyes, caplog: pytest.LogCaptureFixture
) -> None:
    first = await occupied(running, eyes)
    crowd = asking(running, (*BOXES[1:], BOXES[1], *CROWD), POISONED)
    await waiting(running, AHEAD)
    eyes.opened.set()
    with pytest.raises(InternalError) as failed:
        await crowd
    assert "driver" not in failed.value.message
    assert "a fault of the driver" in caplog.text
    assert_seen(await first, BOXES[:1])
    await assert_well(running, eyes)


async def test_a_deadline_that_passes_while_crops_wait_frees_all(
    running: Service, eyes: Eyes
) -> None:
    eyes.opened.clear()
    with pytest.raises(DeadlineError):
        await asking(running, CROWD, seconds=0.2)
    assert running.admission.inside == 0
    assert running.count("pose_shed_total", reason="deadline") == 1
    await assert_well(running, eyes)
    assert eyes.batches == [4, 4], "crops that were late took the engine's time"


async def test_a_caller_who_leaves_while_crops_wait_frees_all(running: Service, eyes: Eyes) -> None:
    eyes.opened.clear()
    left, stays = asking(running, CROWD), asking(running, BOXES[:3])
    await until(lambda: len(eyes.batches) == 1)
    await waiting(running, AHEAD + 3 - eyes.batches[0])
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    eyes.opened.set()
    assert_seen(await stays, BOXES[:3])
    await assert_well(running, eyes)
    assert sum(eyes.batches) <= 4 + 3 + 4, "crops that nobody waits for took the engine's time"


@pytest.mark.parametrize("leaves", [False, True])
async def test_who_is_gone_before_people_are_found_never_reaches_the_pose_engine(
    running: Service, eyes: Eyes, detector: Gate, leaves: bool
) -> None:
    gone = asking(running, None, seconds=PATIENCE_S if leaves else 0.2)
    await until(lambda: detector.calls == 1)
    if leaves:
        gone.cancel()
    with pytest.raises(asyncio.CancelledError if leaves else DeadlineError):
        await gone
    detector.opened.set()
    await assert_well(running, eyes)
    assert eyes.batches == [4]


async def test_who_was_let_in_before_the_service_drains_gets_both_engines(
    running: Service, detector: Gate
) -> None:
    late = asking(running, None)
    await until(lambda: detector.calls == 1)
    running.admission.state = State.DRAINING
    detector.opened.set()
    assert len((await late).people) == len(BOXES)


async def test_crops_that_wait_when_the_service_stops_are_refused(
    running: Service, eyes: Eyes
) -> None:
    first = await occupied(running, eyes)
    crowd = asking(running, CROWD)
    await waiting(running, AHEAD)
    stopping = asyncio.create_task(asyncio.to_thread(running.registry.close))
    with pytest.raises(UnavailableError):
        await crowd
    eyes.opened.set()
    assert_seen(await first, BOXES[:1])
    await stopping


async def test_many_callers_some_of_whom_leave_or_send_poison_leave_nothing_behind(
    running: Service, eyes: Eyes, detector: Gate
) -> None:
    detector.opened.set()
    chance = random.Random(5)  # noqa: S311 - a test repeats itself
    asked: list[tuple[Boxes, asyncio.Task[Estimate]]] = []
    for index in range(60):
        count = chance.randrange(1, 12)
        boxes = None if index % 4 == 0 else tuple(chance.choices(BOXES, k=count))
        asked.append((boxes, asking(running, boxes, POISONED if index % 10 == 3 else PICTURE)))
        if index % 3 == 0:
            chance.choice(asked)[1].cancel()
        await asyncio.sleep(chance.random() / 500)
    results = await asyncio.gather(*(task for _, task in asked), return_exceptions=True)
    for (given, _), result in zip(asked, results, strict=True):
        if isinstance(result, Estimate):
            assert_seen(result, BEST_FIRST if given is None else given)
        else:
            assert isinstance(result, asyncio.CancelledError | InternalError)
    assert sum(isinstance(result, Estimate) for result in results) > 10
    assert max(eyes.batches) <= eyes.max_batch
    await assert_well(running, eyes)
