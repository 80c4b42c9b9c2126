"""Batches are answered in order, with maps of their own, in memory that is used again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

pytest.importorskip("torch", reason="engines on GPUs need torch, which is not installed")

import torch
from torch import Tensor

from engines.runtime.engine import Batch
from engines.runtime.pipeline import Captured, CpuLanes, Event, Graphs, Lane, Pipeline, Shape, T


class Doubles:
    """Gives twice what it is given; counts the batches it runs."""

    def __init__(self, *, full: bool = False) -> None:
        self.given: list[Shape] = []
        self.full = full

    def __call__(self, given: Tensor) -> Sequence[Tensor]:
        if self.full:
            raise torch.OutOfMemoryError("tried to allocate 3 GiB")
        self.given.append(tuple(given.shape))
        return [given.to(torch.float32) * 2]

    def fixed(self, shape: Shape) -> Doubles | None:  # noqa: ARG002 - the protocol
        return self


class Uncapturable(Doubles):
    def fixed(self, shape: Shape) -> None:  # noqa: ARG002 - the protocol
        return None


class Ending:
    """An event that notes when it is waited for."""

    def __init__(self, waited: list[int], number: int) -> None:
        self._waited, self._number = waited, number

    def synchronize(self) -> None:
        self._waited.append(self._number)


class Repeating(CpuLanes):
    """Captures as a GPU does: what is done again reads and writes the same memory.

    Lanes say the order of what is queued, and of the batches that are waited for.
    """

    def __init__(self) -> None:
        self.queued: list[Lane] = []
        self.waited: list[int] = []

    def queue(
        self,
        lane: Lane,
        work: Callable[[], T],
        after: Event | None = None,  # noqa: ARG002 - the protocol
    ) -> tuple[T, Event]:
        self.queued.append(lane)
        return work(), Ending(self.waited, self.queued.count("out"))

    def capture(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]] | None:  # type: ignore[override]
        made = work()

        def replay() -> None:
            assert isinstance(made, list)
            for to, of in zip(made, _list(work()), strict=True):
                to.copy_(of)

        return made, replay


def _list(made: object) -> list[Tensor]:
    assert isinstance(made, list)
    return made


def pipeline(
    launch: Doubles | None = None, lanes: CpuLanes | None = None, *, ahead: int = 1, graphs: int = 8
) -> Pipeline:
    return Pipeline(
        launch or Doubles(), lanes or CpuLanes(), ["maps"], torch.uint8, ahead=ahead, graphs=graphs
    )


def batch(count: int, value: int = 1, width: int = 4) -> Batch:
    return np.full((count, 2, width, 3), value, np.uint8)


def captured() -> Captured:
    return Captured(torch.empty(0), [], lambda: None, Doubles())


@pytest.mark.parametrize("shapes", [[], [(2, 2, 4, 3)]])
def test_batches_are_answered_with_what_they_gave(shapes: list[Shape]) -> None:
    engine = pipeline(lanes=Repeating())
    engine.warm(shapes)

    first, second = engine.start(batch(2, 3)), engine.start(batch(2, 5))

    assert (second()["maps"] == 10).all()
    assert (first()["maps"] == 6).all()


@pytest.mark.parametrize("shapes", [[], [(2, 2, 4, 3)]])
def test_no_answer_changes_after_a_later_batch(shapes: list[Shape]) -> None:
    engine = pipeline(lanes=Repeating())
    engine.warm(shapes)
    maps = engine.start(batch(2, 3))()["maps"]

    for value in range(5):
        engine.start(batch(2, value))()["maps"][:] = 99

    assert maps.dtype == np.float32
    assert (maps == 6).all()


def test_a_batch_may_be_written_to_once_it_is_started() -> None:
    engine = pipeline()
    given = batch(2, 3)
    pending = engine.start(given)
    given[:] = 0

    assert (pending()["maps"] == 6).all()


def test_an_answer_waits_for_its_own_batch_only() -> None:
    lanes = Repeating()
    engine = pipeline(lanes=lanes)

    first, second = engine.start(batch(1)), engine.start(batch(1))
    second()
    first()

    assert lanes.waited == [2, 1]


@pytest.mark.parametrize("ahead", [0, 1, 2])
def test_no_more_are_under_way_than_may_be(ahead: int) -> None:
    lanes = Repeating()
    engine = pipeline(lanes=lanes, ahead=ahead)

    for _ in range(ahead + 1):
        engine.start(batch(1))
    assert lanes.waited == []
    engine.start(batch(1))

    assert lanes.waited == [1]


def test_it_is_closed_when_all_have_ended() -> None:
    lanes = Repeating()
    engine = pipeline(lanes=lanes)
    engine.start(batch(1))
    engine.start(batch(1))

    engine.close()

    assert lanes.waited == [1, 2]


def test_each_batch_is_copied_in_computed_and_copied_out() -> None:
    lanes = Repeating()

    pipeline(lanes=lanes).start(batch(1))

    assert lanes.queued == ["in", "run", "out"]


def test_a_batch_between_captured_sizes_is_filled_up() -> None:
    launch = Doubles()
    engine = pipeline(launch, Repeating())
    engine.warm([(4, 2, 4, 3), (8, 2, 4, 3)])
    launch.given.clear()
    engine.start(batch(4, 7))()

    maps = engine.start(batch(3, 5))()["maps"]

    assert launch.given == [(4, 2, 4, 3), (4, 2, 4, 3)]
    assert maps.shape == (3, 2, 4, 3)
    assert (maps == 10).all()


@pytest.mark.parametrize(
    ("count", "width"), [(1, 4), (2, 4), (9, 4), (4, 5)], ids=["1", "half", "more", "wider"]
)
def test_what_fits_no_captured_size_is_computed_as_it_is(count: int, width: int) -> None:
    launch = Doubles()
    engine = pipeline(launch, Repeating())
    engine.warm([(4, 2, 4, 3), (8, 2, 4, 3)])
    launch.given.clear()

    assert engine.start(batch(count, 5, width))()["maps"].shape == (count, 2, width, 3)
    assert launch.given == [(count, 2, width, 3)]


def test_the_smallest_that_holds_a_batch_is_taken() -> None:
    graphs = Graphs(4)
    kept = {count: captured() for count in (6, 4, 5, 7)}
    for count, one in kept.items():
        graphs.put((count, 8), one)

    assert graphs.fit((4, 8)) is kept[4]
    assert graphs.fit((7, 8)) is kept[7]
    assert graphs.fit((3, 8)) is kept[4]


def test_the_least_recently_used_is_dropped() -> None:
    graphs = Graphs(2)
    for side in (1, 2):
        graphs.put((1, side), captured())
    graphs.fit((1, 1))
    graphs.put((1, 3), captured())

    assert graphs.fit((1, 2)) is None
    assert graphs.fit((1, 1))
    assert graphs.fit((1, 3))


@pytest.mark.parametrize(("launch", "graphs"), [(Doubles(), 0), (Uncapturable(), 8)])
def test_without_graphs_each_batch_is_computed_as_it_is(launch: Doubles, graphs: int) -> None:
    engine = pipeline(launch, Repeating(), graphs=graphs)
    engine.warm([(2, 2, 4, 3)])

    assert (engine.start(batch(2, 4))()["maps"] == 8).all()
    assert launch.given == [(2, 2, 4, 3)] * 2


def test_a_device_that_is_full_says_what_has_no_room() -> None:
    launch = Doubles()
    engine = pipeline(launch)
    before = engine.start(batch(1, 4))
    launch.full = True

    with pytest.raises(MemoryError, match=r"cpu has no room for a batch of shape \(2, 2, 4, 3\)"):
        engine.start(batch(2))
    launch.full = False

    assert (before()["maps"] == 8).all()
    assert (engine.start(batch(2, 6))()["maps"] == 12).all()
