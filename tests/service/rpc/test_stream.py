"""Frames of a stream: a window of them, in order; or the newest, where they come too fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from service.rpc.stream import Newest, answered
from tests.service.serving import until


class Work:
    """Answers a frame with its name once the test lets it."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.left: list[str] = []
        self._done: dict[str, asyncio.Event] = {}

    async def __call__(self, frame: str) -> str:
        self.begun.append(frame)
        try:
            await self._done.setdefault(frame, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.left.append(frame)
            raise
        return frame

    def end(self, *frames: str) -> None:
        for frame in frames:
            self._done.setdefault(frame, asyncio.Event()).set()


@pytest.fixture
def work() -> Work:
    return Work()


async def these(frames: str) -> AsyncIterator[str]:
    for frame in frames:
        yield frame


class Sent:
    """Frames that come when the test sends them."""

    def __init__(self) -> None:
        self._frames: asyncio.Queue[str] = asyncio.Queue()

    def send(self, frames: str) -> None:
        for frame in frames:
            self._frames.put_nowait(frame)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (frame := await self._frames.get()) != ".":
            yield frame


async def test_answers_come_in_the_order_of_the_frames(work: Work) -> None:
    work.end(*"bcd")
    answers = answered(these("abcd"), work, 3)
    first = asyncio.create_task(anext(answers))
    await until(lambda: work.begun == ["a", "b", "c"])
    assert not first.done()
    work.end("a")
    assert [await first, *[answer async for answer in answers]] == ["a", "b", "c", "d"]


async def test_no_frame_is_read_while_the_window_is_full(work: Work) -> None:
    read: list[str] = []

    async def frames() -> AsyncIterator[str]:
        for frame in "abcd":
            read.append(frame)
            yield frame

    answers = answered(frames(), work, 2)
    first = asyncio.create_task(anext(answers))
    await until(lambda: work.begun == ["a", "b"])
    assert read == ["a", "b"]
    work.end(*"abcd")
    assert [await first, *[answer async for answer in answers]] == ["a", "b", "c", "d"]


async def test_what_nobody_takes_any_more_is_cancelled(work: Work) -> None:
    work.end("a")
    async with aclosing(answered(these("abcd"), work, 3)) as answers:
        assert await anext(answers) == "a"
        await until(lambda: len(work.begun) == 4)
    await until(lambda: sorted(work.left) == ["b", "c", "d"])


async def test_a_caller_who_leaves_while_it_waits_leaves_nothing_under_way(work: Work) -> None:
    waiting = asyncio.ensure_future(anext(answered(these("abcd"), work, 3)))
    await until(lambda: len(work.begun) == 3)
    waiting.cancel()
    await until(lambda: sorted(work.left) == ["a", "b", "c"])


async def test_what_breaks_the_frames_breaks_the_answers_after_those_before_it(work: Work) -> None:
    async def broken() -> AsyncIterator[str]:
        yield "a"
        raise ValueError("the line is dead")

    work.end("a")
    for frames in (broken(), Newest(broken(), lambda: None)):
        answers = answered(frames, work, 2)
        assert await anext(answers) == "a"
        with pytest.raises(ValueError, match="dead"):
            await anext(answers)


async def test_a_stream_without_frames_has_no_answers(work: Work) -> None:
    assert [answer async for answer in answered(these(""), work, 2)] == []
    newest = Newest(these(""), lambda: None)
    assert [answer async for answer in answered(newest, work, 2)] == []


async def test_of_frames_that_come_too_fast_the_newest_wins(work: Work) -> None:
    sent, dropped = Sent(), 0

    def drop() -> None:
        nonlocal dropped
        dropped += 1

    newest = Newest(sent, drop)
    answers = answered(newest, work, 2)
    first = asyncio.create_task(anext(answers))
    sent.send("a")
    await until(lambda: work.begun == ["a"])
    sent.send("b")
    await until(lambda: work.begun == ["a", "b"])
    sent.send("cdef")
    await until(lambda: dropped == 3)
    work.end(*"abf")
    assert [await first, await anext(answers), await anext(answers)] == ["a", "b", "f"]
    assert work.begun == ["a", "b", "f"]
    sent.send("g.")
    work.end("g")
    assert [answer async for answer in answers] == ["g"]
    assert dropped == 3


async def test_the_newest_frame_is_answered_though_the_stream_has_ended(work: Work) -> None:
    work.end(*"abc")
    drops: list[None] = []
    sent = Sent()
    newest = Newest(sent, lambda: drops.append(None))
    sent.send("abc.")
    await until(lambda: len(drops) == 2)
    assert [answer async for answer in answered(newest, work, 1)] == ["c"]


async def test_frames_that_come_slowly_are_all_answered(work: Work) -> None:
    work.end(*"abc")
    sent = Sent()
    answers = answered(Newest(sent, lambda: pytest.fail("dropped")), work, 1)
    for frame in "abc":
        sent.send(frame)
        assert await anext(answers) == frame


async def test_nothing_is_read_of_a_closed_stream() -> None:
    drops: list[None] = []
    sent = Sent()
    newest = Newest(sent, lambda: drops.append(None))
    sent.send("a")
    assert await anext(newest) == "a"
    newest.close()
    sent.send("bc")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not drops
