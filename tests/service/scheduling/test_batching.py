"""What a pull takes, waits for and drops, by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from service.scheduling.batching import BatchQueue, Entry, Pull


@dataclass
class Bench:
    """A queue of labelled entries, and the time."""

    max_batch: int = 4
    max_delay: float = 0.0
    now: float = 100.0
    gone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.queue: BatchQueue[str] = BatchQueue(self.max_batch, self.max_delay, lambda: self.now)

    def put(
        self, label: str, size: int = 1, shape: tuple[int, ...] = (8, 8), lasts: float = 60.0
    ) -> None:
        self.queue.put(
            Entry(label, size, shape, self.now + lasts, lambda: label in self.gone, self.now)
        )

    def put_all(self, labels: str) -> None:
        for label in labels:
            self.put(label)

    def pull(self) -> str:
        return labels(self.queue.pull().batch)


def labels(entries: Sequence[Entry[str]]) -> str:
    return "".join(entry.item for entry in entries)


def test_an_empty_queue_gives_nothing_and_no_time_to_look_again() -> None:
    assert Bench().queue.pull() == Pull([], [], None)


def test_what_waits_is_taken_at_once_in_order() -> None:
    bench = Bench()
    bench.put_all("abc")
    pull = bench.queue.pull()
    assert (labels(pull.batch), pull.expired, pull.wait) == ("abc", [], 0)
    assert len(bench.queue) == 0


def test_a_pull_takes_up_to_the_largest_batch_and_leaves_the_rest() -> None:
    bench = Bench(max_batch=2)
    bench.put_all("abcde")
    assert [bench.pull() for _ in range(4)] == ["ab", "cd", "e", ""]


def test_a_batch_is_counted_in_pictures_not_in_entries() -> None:
    bench = Bench(max_batch=4)
    bench.put("a", size=3)
    bench.put("b", size=1)
    bench.put("c", size=2)
    assert len(bench.queue) == 6
    assert [bench.pull(), bench.pull()] == ["ab", "c"]


def test_what_does_not_fit_leads_the_next_batch() -> None:
    bench = Bench(max_batch=4)
    bench.put("a", size=2)
    bench.put("b", size=3)
    bench.put("c", size=1)
    bench.put("d", size=1)
    assert [bench.pull(), bench.pull()] == ["acd", "b"]


def test_an_entry_larger_than_a_batch_goes_alone() -> None:
    bench = Bench(max_batch=4)
    bench.put("a")
    bench.put("B", size=9)
    bench.put("c")
    assert [bench.pull(), bench.pull()] == ["ac", "B"]


def test_shapes_never_mix_and_the_oldest_shape_goes_first() -> None:
    bench = Bench()
    for index, label in enumerate("aXbYcX"):
        bench.put(f"{label}{index}", shape=(ord(label.upper()) // 10, 8))
    assert [bench.pull() for _ in range(4)] == ["a0b2c4", "X1Y3X5", "", ""]


def test_a_rare_shape_is_not_starved_by_a_common_one() -> None:
    bench = Bench(max_batch=2)
    bench.put_all("ab")
    bench.put("X", shape=(1, 1))
    bench.put_all("cd")
    assert bench.pull() == "ab"
    bench.put_all("ef")
    assert bench.pull() == "X"
    assert bench.pull() == "cd"


def test_with_a_delay_a_pull_waits_for_company_from_the_oldest_entry_on() -> None:
    bench = Bench(max_delay=1.0)
    bench.put("a")
    bench.now += 0.75
    bench.put("b")
    assert bench.queue.pull() == Pull([], [], 0.25)
    assert len(bench.queue) == 2
    bench.now += 0.25
    assert bench.pull() == "ab"


def test_with_a_delay_a_full_batch_does_not_wait() -> None:
    bench = Bench(max_batch=2, max_delay=1.0)
    bench.put_all("abc")
    assert bench.pull() == "ab"
    assert bench.queue.pull().wait == 1.0


def test_with_a_delay_an_entry_larger_than_a_batch_does_not_wait() -> None:
    bench = Bench(max_batch=2, max_delay=1.0)
    bench.put("A", size=5)
    assert bench.pull() == "A"


def test_with_a_delay_a_full_batch_does_not_wait_behind_an_older_entry_of_another_shape() -> None:
    bench = Bench(max_batch=2, max_delay=1.0)
    bench.put("a")
    bench.now += 0.25
    bench.put("X", shape=(1, 1))
    bench.put("Y", shape=(1, 1))
    assert bench.pull() == "XY"
    assert bench.queue.pull() == Pull([], [], 0.75)
    bench.now += 0.75
    assert bench.pull() == "a"


def test_with_a_delay_the_first_shape_that_is_due_tells_when_to_look_again() -> None:
    bench = Bench(max_delay=1.0)
    bench.put("a")
    bench.put("X", shape=(1, 1), lasts=0.5)
    assert bench.queue.pull().wait == 0.25


def test_what_is_put_back_goes_first_each_alone_and_at_once() -> None:
    bench = Bench(max_delay=1.0)
    bench.put_all("abc")
    bench.now += 1.0
    failed = bench.queue.pull().batch
    bench.put_all("de")
    bench.queue.put_back([replace(entry, alone=True) for entry in failed])
    assert [bench.pull() for _ in range(4)] == ["a", "b", "c", ""]
    bench.now += 1.0
    assert bench.pull() == "de"


def test_what_is_put_back_is_dropped_when_nobody_wants_it_any_more() -> None:
    bench = Bench()
    bench.put("a", lasts=1.0)
    bench.put_all("bc")
    failed = bench.queue.pull().batch
    bench.now += 1.0
    bench.gone = {"b"}
    bench.queue.put_back([replace(entry, alone=True) for entry in failed])
    pull = bench.queue.pull()
    assert (labels(pull.batch), labels(pull.expired)) == ("c", "a")


def test_a_delay_never_outlasts_a_deadline() -> None:
    bench = Bench(max_delay=10.0)
    bench.put("a", lasts=2.0)
    pull = bench.queue.pull()
    if not pull.batch:
        bench.now += pull.wait or 0
        pull = bench.queue.pull()
    assert labels(pull.batch) == "a"


def test_entries_whose_deadline_has_passed_are_dropped_and_named() -> None:
    bench = Bench()
    bench.put("a", lasts=1.0)
    bench.put("b", lasts=3.0)
    bench.put("c", lasts=2.0)
    bench.now += 2.0
    pull = bench.queue.pull()
    assert (labels(pull.batch), labels(pull.expired)) == ("b", "ac")
    assert len(bench.queue) == 0


def test_entries_whose_caller_has_gone_are_dropped_and_not_named() -> None:
    bench = Bench()
    bench.put_all("abc")
    bench.put("d", lasts=-1.0)
    bench.gone = {"a", "c", "d"}
    pull = bench.queue.pull()
    assert (labels(pull.batch), pull.expired) == ("b", [])
    assert len(bench.queue) == 0


def test_a_queue_of_dropped_entries_only_gives_no_batch() -> None:
    bench = Bench(max_delay=1.0)
    bench.put("a", lasts=-1.0)
    bench.put("b")
    bench.gone = {"b"}
    pull = bench.queue.pull()
    assert (pull.batch, labels(pull.expired), pull.wait) == ([], "a", None)


def test_dropped_entries_make_room_in_the_batch() -> None:
    bench = Bench(max_batch=2)
    bench.put_all("abc")
    bench.gone = {"a"}
    assert bench.pull() == "bc"


def test_clearing_gives_all_that_waits() -> None:
    bench = Bench(max_batch=1)
    bench.put_all("abc")
    assert labels(bench.queue.clear()) == "abc"
    assert (len(bench.queue), bench.pull()) == (0, "")


@given(
    max_batch=st.integers(1, 5),
    entries=st.lists(st.tuples(st.integers(1, 7), st.sampled_from("xyz")), max_size=12),
)
def test_every_entry_is_served_once_in_the_order_of_its_shape_and_size(
    max_batch: int, entries: list[tuple[int, str]]
) -> None:
    bench = Bench(max_batch)
    for index, (size, shape) in enumerate(entries):
        bench.put(chr(ord("a") + index), size, (ord(shape),))
    waiting = [chr(ord("a") + index) for index in range(len(entries))]
    served: list[Entry[str]] = []
    while batch := bench.queue.pull().batch:
        assert labels(batch)[0] == waiting[0], "the oldest is always served"
        assert labels(batch) == "".join(sorted(labels(batch)))
        assert len({entry.shape for entry in batch}) == 1
        assert sum(entry.size for entry in batch) <= max_batch or len(batch) == 1
        waiting = [label for label in waiting if label not in labels(batch)]
        served += batch
    assert len(served) == len(entries)
    assert waiting == []
