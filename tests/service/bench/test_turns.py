"""Measuring in turns."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from engines.runtime.engine import Batch, Maps, Pending
from service.bench.turns import Spell, repeated, saturating, take_turns


class _Ahead:
    """Notes how many batches are under way when one is started."""

    name, precision, device, max_batch, ahead = "fake", "fp32", "cpu", 1, 2

    def __init__(self) -> None:
        self.under_way, self.most, self.ended = 0, 0, 0

    def start(self, _: Batch) -> Pending:
        self.under_way += 1
        self.most = max(self.most, self.under_way)

        def pending() -> Maps:
            self.under_way -= 1
            self.ended += 1
            return {}

        return pending


def test_what_is_repeated_is_done_at_least_once() -> None:
    done: list[int] = []
    assert repeated(lambda: done.append(1))(0) > 0
    assert done == [1]


def test_a_spell_gives_the_time_of_one_piece_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def work() -> None:
        now[0] += 0.25

    assert repeated(work)(1.0) == 0.25


def test_an_engine_gets_as_many_batches_as_it_takes_ahead_and_all_are_awaited() -> None:
    engine = _Ahead()
    saturating(engine, [np.zeros((1, 8, 8, 3), np.uint8)])(0.01)  # type: ignore[arg-type]
    assert engine.most == engine.ahead + 1
    assert engine.ended > engine.most
    assert engine.under_way == 0


def test_every_round_turns_the_order_round() -> None:
    order: list[str] = []

    def noting(name: str) -> Spell:
        def spell(_: float) -> float:
            order.append(name)
            return 1.0

        return spell

    take_turns([noting("a"), noting("b")], 0)
    assert "".join(order) == "ab" + "ba" + "ab" + "ba"  # the first is not measured


def test_one_slow_spell_does_not_count() -> None:
    def giving(*times: float) -> Callable[[float], float]:
        left = iter(times)
        return lambda _: next(left)

    assert take_turns([giving(100, 1, 50, 2)], 0) == [2]
