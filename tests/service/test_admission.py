"""Images are let in while the service serves and there is room."""

from __future__ import annotations

from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from service.admission import Admission, State
from service.errors import DrainingError, OverloadedError, UnavailableError
from tests.service.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("service.admission.time", SimpleNamespace(monotonic=clock))
    return clock


def serving(capacity: int) -> Admission:
    admission = Admission(capacity)
    admission.state = State.SERVING
    return admission


def refused(admission: Admission, images: int = 1) -> OverloadedError:
    with pytest.raises(OverloadedError) as failed:
        admission.check(images)
    return failed.value


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
def test_nothing_is_let_in_unless_it_serves(state: State) -> None:
    admission = serving(2)
    admission.state = state
    with pytest.raises(UnavailableError, match=state.value), admission.admit():
        pass
    with pytest.raises(UnavailableError):
        admission.check(0)
    assert admission.inside == 0


def test_a_service_begins_as_starting() -> None:
    assert Admission(2).state is State.STARTING


def test_images_are_let_in_until_all_places_are_taken() -> None:
    admission = serving(2)
    with admission.admit(), admission.admit():
        assert admission.inside == 2
        with pytest.raises(OverloadedError), admission.admit():
            pass
        assert admission.inside == 2
    assert admission.inside == 0
    with admission.admit():
        assert admission.inside == 1


def test_a_place_is_free_again_after_a_failure() -> None:
    admission = serving(1)
    with pytest.raises(ValueError, match="broken"), admission.admit():
        raise ValueError("broken")
    assert admission.inside == 0


def test_what_is_inside_may_finish_while_draining() -> None:
    admission = serving(1)
    with admission.admit():
        admission.state = State.DRAINING
    assert admission.inside == 0


def test_the_bound_follows_from_what_the_engines_take_at_once() -> None:
    admission = Admission()
    admission.suit(2)
    assert admission.capacity == 6


def test_a_bound_that_was_given_stays() -> None:
    admission = Admission(64)
    admission.suit(2)
    assert admission.capacity == 64


def test_who_is_refused_by_a_draining_service_is_told_so() -> None:
    admission = serving(1)
    admission.state = State.DRAINING
    with pytest.raises(DrainingError) as refused:
        admission.check(0)
    assert refused.value.retry_after == 1


def test_several_images_are_checked_together() -> None:
    admission = serving(3)
    admission.check(3)
    with admission.admit():
        admission.check(2)
        assert "1 images are in the system, which admits 3" in str(refused(admission, 3))


def test_the_first_to_be_refused_is_told_to_wait_a_second() -> None:
    admission = serving(1)
    with admission.admit():
        assert refused(admission).retry_after == 1


def test_the_wait_is_what_is_inside_at_the_rate_it_leaves(clock: Clock) -> None:
    admission = serving(20)
    for _ in range(200):  # 4 images a second for 50 s
        with admission.admit():
            clock.now += 0.25
    with ExitStack() as inside:
        for _ in range(20):
            inside.enter_context(admission.admit())
        assert refused(admission).retry_after == pytest.approx(5, abs=1)
        assert "try again in" in str(refused(admission))


def test_the_wait_follows_a_rate_that_changes(clock: Clock) -> None:
    admission = serving(20)
    for seconds in (0.01, 1.0):
        for _ in range(60):
            with admission.admit():
                clock.now += seconds
    with ExitStack() as inside:
        for _ in range(20):
            inside.enter_context(admission.admit())
        assert refused(admission).retry_after == pytest.approx(20, abs=3)


def test_the_wait_is_a_whole_number_of_seconds_up_to_a_minute(clock: Clock) -> None:
    admission = serving(50)
    with admission.admit():
        clock.now += 3600
    with ExitStack() as inside:
        for _ in range(50):
            inside.enter_context(admission.admit())
        assert refused(admission).retry_after == 60


def test_a_wait_is_never_zero(clock: Clock) -> None:
    admission = serving(2)
    for _ in range(5):
        with admission.admit():
            clock.now += 0.1
    assert (refused(admission, images=3).retry_after or 0) >= 1
