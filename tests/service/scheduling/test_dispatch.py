"""Which device starts which batch, by a clock of the test's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from service.scheduling.batching import BatchQueue, Entry
from service.scheduling.dispatch import Dispatch

FIRST, SECOND, THIRD = "cuda:0", "cuda:1", "cuda:2"


@dataclass
class Bench:
    """A dispatch of labelled entries, and the time; a batch is one entry."""

    max_delay: float = 0.0
    now: float = 100.0
    gone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.dispatch: Dispatch[str] = Dispatch(lambda: self.now)
        self.started: dict[str, list[list[Entry[str]]]] = {}

    def add(self, network: str, *devices: str, ahead: int = 1) -> None:
        queue: BatchQueue[str] = BatchQueue(1, self.max_delay, lambda: self.now)
        self.dispatch.add(network, queue)
        for device in devices:
            self.dispatch.join(device, {network: ahead})

    def put(self, network: str, labels: str, lasts: float = 60.0) -> None:
        """One entry a letter, each a second after the one before."""
        for label in labels:
            self.now += 1
            gone = lambda label=label: label in self.gone  # noqa: E731 - of each letter its own
            self.dispatch.put(network, Entry(label, 1, (8, 8), self.now + lasts, gone, self.now))

    def pull(self, device: str) -> str:
        """What the device starts."""
        if batch := self.dispatch.pull(device).batch:
            self.started.setdefault(device, []).append(batch)
        return labels(batch)

    def end(self, device: str) -> float | None:
        """Ends the first batch that the device has started."""
        return self.dispatch.end(device, self.started[device].pop(0))

    def run(self, device: str) -> str:
        """What the device starts, if anything, and ends at once."""
        if started := self.pull(device):
            self.end(device)
        return started


def labels(entries: Sequence[Entry[str]]) -> str:
    return "".join(entry.item for entry in entries)


def test_a_device_takes_what_waits_in_order() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.put("poses", "abc")
    assert [bench.run(FIRST) for _ in range(4)] == ["a", "b", "c", ""]


def test_a_device_starts_no_more_than_may_be_ahead() -> None:
    for ahead in (0, 1, 2):
        bench = Bench()
        bench.add("poses", FIRST, ahead=ahead)
        bench.put("poses", "abcdef")
        started = [bench.pull(FIRST) for _ in range(5)]
        assert "".join(started) == "abc"[: 1 + ahead]


def test_networks_of_one_device_take_turns_by_age() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.add("people", FIRST)
    bench.put("people", "a")
    bench.put("poses", "bc")
    bench.put("people", "d")
    assert [bench.run(FIRST) for _ in range(5)] == ["a", "b", "c", "d", ""]


def test_the_age_of_what_nobody_wants_any_more_does_not_count() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.add("people", FIRST)
    bench.put("people", "a")
    bench.put("people", "l", lasts=1.5)
    bench.put("poses", "b")
    bench.put("people", "c")
    bench.gone = {"a"}
    assert [bench.run(FIRST) for _ in range(3)] == ["b", "c", ""]


def test_what_came_too_late_is_named() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.put("poses", "a", lasts=1.5)
    bench.put("poses", "bc")
    pull = bench.dispatch.pull(FIRST)
    assert (labels(pull.batch), labels(pull.expired)) == ("b", "a")


def test_a_device_takes_nothing_of_a_network_that_it_does_not_have() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.add("people", SECOND)
    bench.put("people", "a")
    assert (bench.pull(FIRST), bench.pull(SECOND)) == ("", "a")


def test_the_least_loaded_device_starts_the_next_batch() -> None:
    bench = Bench()
    bench.add("poses", FIRST, SECOND, THIRD)
    bench.put("poses", "abcdefg")
    assert bench.pull(FIRST) == "a"
    assert bench.pull(FIRST) == "", "two others have nothing to do"
    assert bench.pull(SECOND) == "b"
    assert bench.pull(SECOND) == ""
    assert bench.pull(THIRD) == "c"
    assert [bench.pull(one) for one in (THIRD, FIRST, SECOND)] == ["d", "e", "f"]
    assert [bench.pull(one) for one in (FIRST, SECOND, THIRD)] == ["", "", ""]
    bench.end(SECOND)
    assert [bench.pull(one) for one in (FIRST, THIRD, SECOND)] == ["", "", "g"]


def test_all_that_a_device_has_under_way_is_its_load() -> None:
    bench = Bench()
    bench.add("poses", FIRST, SECOND)
    bench.add("people", FIRST)
    bench.put("people", "a")
    bench.put("poses", "b")
    assert bench.pull(FIRST) == "a"
    assert bench.pull(FIRST) == ""
    assert bench.pull(SECOND) == "b"


def test_a_device_without_the_network_leaves_the_others_their_turn() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.add("people", FIRST, SECOND)
    bench.put("poses", "ab")
    assert [bench.pull(FIRST), bench.pull(FIRST)] == ["a", "b"]


def test_nobody_waits_for_a_device_that_was_lost() -> None:
    bench = Bench()
    bench.add("poses", FIRST, SECOND)
    bench.put("poses", "abc")
    assert bench.pull(FIRST) == "a"
    assert bench.pull(FIRST) == ""
    assert bench.dispatch.lose(SECOND) == []
    assert bench.pull(FIRST) == "b"
    assert bench.dispatch.width("poses") == 1


def test_what_only_a_lost_device_could_have_run_is_given_back() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.add("people", FIRST, SECOND)
    bench.put("poses", "ab")
    bench.put("people", "c")
    assert labels(bench.dispatch.lose(FIRST)) == "ab"
    assert bench.dispatch.width("poses") == 0
    assert bench.dispatch.waiting("poses") == 0
    assert (bench.dispatch.width("people"), bench.pull(SECOND)) == (1, "c")


def test_a_device_that_was_forgotten_comes_back_late_and_changes_nothing() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.put("poses", "ab")
    assert [bench.pull(FIRST), bench.pull(FIRST)] == ["a", "b"]
    bench.dispatch.lose(FIRST)
    assert (bench.dispatch.lost(FIRST), bench.dispatch.under_way(FIRST)) == (True, 2)
    assert isinstance(bench.end(FIRST), float), "it may end what it has until it is forgotten"
    assert labels(bench.dispatch.forget(FIRST)) == "b"
    bench.dispatch.join(SECOND, {"poses": 1})
    bench.put("poses", "c")
    assert bench.pull(SECOND) == "c"
    assert bench.end(FIRST) is None
    assert bench.pull(FIRST) == ""
    assert [bench.dispatch.under_way(one) for one in (FIRST, SECOND)] == [0, 1]


def test_a_device_stalls_while_it_has_a_batch_and_ends_none() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.put("poses", "abc", lasts=1000.0)
    bench.now = 200.0
    assert bench.dispatch.stalled(FIRST) == 0
    bench.pull(FIRST)
    bench.now = 205.0
    bench.pull(FIRST)
    assert bench.dispatch.stalled(FIRST) == 5
    bench.end(FIRST)
    bench.now = 207.0
    assert bench.dispatch.stalled(FIRST) == 2
    bench.end(FIRST)
    bench.now = 300.0
    assert bench.dispatch.stalled(FIRST) == 0


def test_a_network_is_bound_to_ever_smaller_batches() -> None:
    bench = Bench()
    bench.dispatch.add("poses", BatchQueue(8, 0.0, lambda: bench.now))
    assert [bench.dispatch.bound("poses", most) for most in (4, 4, 6, 2)] == [
        True,
        False,
        False,
        True,
    ]
    assert bench.dispatch.max_batch("poses") == 2


def test_with_a_delay_a_device_is_told_when_the_first_of_its_networks_is_due() -> None:
    bench = Bench(max_delay=10.0)
    for network in ("poses", "people"):
        queue: BatchQueue[str] = BatchQueue(2, bench.max_delay, lambda: bench.now)
        bench.dispatch.add(network, queue)
        bench.dispatch.join(FIRST, {network: 1})
    bench.put("poses", "a")
    bench.put("people", "b")
    bench.now += 2
    assert bench.dispatch.pull(FIRST).wait == 7.0
    bench.put("people", "c")
    assert bench.pull(FIRST) == "bc", "a full batch goes though an older one waits for company"


def test_a_device_is_busy_while_anything_is_under_way() -> None:
    bench = Bench()
    bench.add("poses", FIRST)
    bench.put("poses", "abc", lasts=1000.0)
    bench.now = 200.0
    assert bench.pull(FIRST) == "a"
    bench.now = 203.0
    assert bench.pull(FIRST) == "b"
    bench.now = 204.0
    assert (bench.end(FIRST), bench.dispatch.under_way(FIRST)) == (4.0, 1)
    bench.now = 210.0
    assert (bench.end(FIRST), bench.dispatch.under_way(FIRST)) == (6.0, 0)
    bench.now = 300.0
    assert bench.pull(FIRST) == "c"
    bench.now = 301.0
    assert bench.end(FIRST) == 1.0, "it was idle in between"


def test_an_empty_queue_has_no_oldest_entry() -> None:
    queue: BatchQueue[str] = BatchQueue(1, 0.0, lambda: 100.0)
    assert queue.oldest == math.inf
    queue.put(Entry("a", 1, (8, 8), 101.0, lambda: False, 99.0))
    assert queue.oldest == 99.0
