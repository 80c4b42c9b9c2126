"""A stream of frames: a window of them under way, answered in the order they came."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Coroutine
from typing import Any, Generic, TypeVar

Frame = TypeVar("Frame")
Answer = TypeVar("Answer")


async def answered(
    frames: AsyncIterable[Frame],
    answer: Callable[[Frame], Coroutine[Any, Any, Answer]],
    window: int,
) -> AsyncGenerator[Answer, None]:
    """The answers to all frames, in order, with at most a window of them under way.

    A frame is read only when there is room for it, so that the sender is slowed down. What is
    under way is cancelled when the answers are taken no longer.
    """
    under_way: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue()
    room = asyncio.Semaphore(window)

    async def read() -> None:
        try:
            await room.acquire()
            async for frame in frames:
                under_way.put_nowait(asyncio.create_task(answer(frame)))
                await room.acquire()
        finally:
            under_way.put_nowait(None)

    reader = asyncio.create_task(read())
    try:
        while task := await under_way.get():
            one = await task
            room.release()
            yield one
        await reader
    finally:
        reader.cancel()
        while not under_way.empty():
            if task := under_way.get_nowait():
                task.cancel()


class Newest(Generic[Frame]):
    """Of frames that come faster than they are taken, the newest: those before it are dropped.

    Args:
        frames: read as fast as they come, until `close`.
        on_drop: told of each that is dropped.
    """

    def __init__(self, frames: AsyncIterable[Frame], on_drop: Callable[[], None]) -> None:
        self._newest: Frame | None = None
        self._on_drop = on_drop
        self._changed = asyncio.Event()  # a frame has come, or the last one has
        self._reader = asyncio.create_task(self._read(frames))

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        await self._changed.wait()
        frame, self._newest = self._newest, None
        if frame is None:
            await self._reader  # raises what kept it from reading on
            raise StopAsyncIteration
        if not self._reader.done():
            self._changed.clear()
        return frame

    def close(self) -> None:
        self._reader.cancel()

    async def _read(self, frames: AsyncIterable[Frame]) -> None:
        try:
            async for frame in frames:
                if self._newest is not None:
                    self._on_drop()
                self._newest = frame
                self._changed.set()
        finally:
            self._changed.set()
