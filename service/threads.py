"""How many threads the libraries outside the engine take, and a thread that nobody waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar, cast

import cv2
from threadpoolctl import threadpool_limits

T = TypeVar("T")


@contextmanager
def one_thread() -> Iterator[None]:
    """OpenCV, BLAS and OpenMP get one thread each, and OpenCV keeps its log to itself.

    Work on several images at once already fills the cores, and the engine has threads of
    its own; what OpenCV would log of a broken image is in the answer to its sender.
    """
    cv2.setNumThreads(1)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    with threadpool_limits(1):
        yield


async def in_daemon(work: Callable[[], T]) -> T:
    """Runs `work` in a thread of its own, for which the process does not wait when it ends."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(cast("T", result))
        else:
            done.set_exception(error)

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await done
