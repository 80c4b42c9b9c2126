"""The generator: an open loop does not wait for answers, and counts what it makes others wait."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable

import pytest

from tests.load.open_loop import OpenLoop, constant, offer, poisson
from tests.load.replies import SILENT, Reply


class Slow:
    """A server that has one caller at a time."""

    protocol = "slow"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self.most = self._waiting = 0

    def prepare(self, image: bytes) -> bytes:
        return image

    async def call(self, request: bytes) -> Reply:
        self._waiting += 1
        self.most = max(self.most, self._waiting)
        async with self._turn:
            await asyncio.sleep(self._seconds)
        self._waiting -= 1
        return Reply("200", body=request)

    async def close(self) -> None:
        return None


async def test_requests_are_sent_when_due_whatever_became_of_those_before() -> None:
    slow = Slow(0.03)
    records = await offer([slow], [b"a", b"b"], constant(100), 0.2)
    assert slow.most > 10
    assert [record.planned for record in records] == pytest.approx([n / 100 for n in range(20)])
    assert [record.reply.body for record in records] == [b"a", b"b"] * 10


async def test_latency_counts_from_the_planned_time_of_sending() -> None:
    loop = OpenLoop()

    async def call() -> Reply:
        return Reply("200")

    def send(number: int) -> tuple[str, Awaitable[Reply]]:
        if not number:
            time.sleep(0.1)  # as if the machine had other things to do
        return "http", call()

    await loop.offer(constant(100), 0.1, send)
    assert len(loop.records) == 10
    for record in loop.records:
        assert record.planned + record.latency >= 0.1
        assert record.planned + record.late >= 0.1


async def test_callers_of_all_protocols_take_turns() -> None:
    first, second = Slow(0), Slow(0)
    await offer([first, second], [b""], constant(500), 0.1)
    assert (first.most, second.most) >= (1, 1)


async def test_a_request_without_an_answer_is_a_record_too() -> None:
    loop, never = OpenLoop(patience=0.05), asyncio.Event()

    async def call() -> Reply:
        await never.wait()
        return Reply("200")

    await loop.offer(constant(10), 0.1, lambda _: ("http", call()))
    assert [record.reply.status for record in loop.records] == [SILENT]


def test_arrivals_at_random_come_at_the_rate_on_average() -> None:
    times = list(itertools.takewhile(lambda at: at < 100, poisson(50, 0)))
    assert len(times) == pytest.approx(5000, rel=0.05)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert sum(gap > 0.02 for gap in gaps) / len(gaps) == pytest.approx(0.37, abs=0.03)  # 1/e
