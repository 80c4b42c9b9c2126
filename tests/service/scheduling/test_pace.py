"""How fast a network runs is known from its batches, and never thought slower than it is."""

from __future__ import annotations

import pytest

from service.scheduling.pace import Pace
from tests.service.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pace(clock: Clock) -> Pace:
    return Pace(clock)


def settle(pace: Pace, pictures: int, seconds: float) -> None:
    for _ in range(100):
        pace.observe(pictures, seconds)


def test_nothing_takes_time_until_something_has(pace: Pace) -> None:
    assert pace.seconds(1) == pace.least_wait(100, 2) == 0


def test_many_batches_say_how_long_one_takes(pace: Pace) -> None:
    settle(pace, 2, 0.5)
    assert pace.seconds(2) == pytest.approx(0.5, rel=0.01)


def test_one_slow_batch_says_little(pace: Pace) -> None:
    pace.observe(1, 5.0)
    assert pace.seconds(1) == pytest.approx(0.5)
    settle(pace, 1, 0.1)
    pace.observe(1, 5.0)
    assert pace.seconds(1) < 0.6


def test_one_fast_batch_is_believed_at_once(pace: Pace) -> None:
    settle(pace, 1, 5.0)
    pace.observe(1, 0.1)
    assert pace.seconds(1) == 0.1


def test_a_batch_not_seen_yet_takes_as_long_as_the_largest_below_it(pace: Pace) -> None:
    settle(pace, 2, 0.2)
    settle(pace, 4, 0.4)
    assert pace.seconds(1) == 0
    assert pace.seconds(3) == pytest.approx(0.2, rel=0.01)
    assert pace.seconds(32) == pytest.approx(0.4, rel=0.01)


def test_a_smaller_batch_takes_no_longer_than_a_larger_one(pace: Pace) -> None:
    settle(pace, 1, 3.0)
    pace.observe(4, 0.2)
    assert pace.seconds(1) == 0.2


def test_what_was_seen_long_ago_is_forgotten(pace: Pace, clock: Clock) -> None:
    settle(pace, 1, 3.0)
    clock.now += 9
    assert pace.seconds(1) > 2.9
    clock.now += 2
    assert pace.seconds(1) == 0
    pace.observe(1, 1.0)
    assert pace.seconds(1) == pytest.approx(0.1)


def test_a_picture_waits_for_the_full_batches_before_it_and_for_its_own(pace: Pace) -> None:
    settle(pace, 1, 0.1)
    settle(pace, 2, 0.15)
    waits = [pace.least_wait(waiting, 2) for waiting in range(5)]
    assert waits == pytest.approx([0.1, 0.1, 0.25, 0.25, 0.4], rel=0.01)


def test_devices_share_what_waits(pace: Pace) -> None:
    settle(pace, 1, 0.1)
    settle(pace, 2, 0.15)
    assert pace.least_wait(7, 4) == pytest.approx(0.25, rel=0.01)


def test_without_a_device_there_is_still_an_answer(pace: Pace) -> None:
    settle(pace, 1, 0.1)
    assert pace.least_wait(0, 0) == pytest.approx(0.1, rel=0.01)
