"""One thread an engine: pulls batches, runs them and hands each caller its own maps."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import numpy as np

from engines.runtime.engine import Batch, Engine, Maps
from service.batching import BatchQueue, Entry
from service.errors import DeadlineError, InternalError, UnavailableError

log = logging.getLogger("posewire")

_PIECES_AHEAD = 2  # of one caller's inputs: the engine never waits for the next


@dataclass(frozen=True, slots=True)
class Answer:
    """Maps of the pictures that were asked for, and the seconds they waited and ran."""

    maps: Maps
    queued: float
    inferred: float


@dataclass(frozen=True, slots=True)
class _Job:
    inputs: Batch
    answer: asyncio.Future[Answer]
    loop: asyncio.AbstractEventLoop

    def resolve(self, answer: Answer | Exception) -> None:
        """From any thread; a caller who has gone is not told."""
        with suppress(RuntimeError):  # the caller's loop has ended
            self.loop.call_soon_threadsafe(_settle, self.answer, answer)


class Worker:
    """Feeds one engine.

    Args:
        name: of the thread.
        engine: used by this worker's thread alone.
        max_delay: seconds the oldest picture may wait for company.
        on_batch: told the number of pictures of every batch.
    """

    def __init__(
        self, name: str, engine: Engine, max_delay: float, on_batch: Callable[[int], None]
    ) -> None:
        self._engine = engine
        self._on_batch = on_batch
        self._queue: BatchQueue[_Job] = BatchQueue(engine.max_batch, max_delay, time.monotonic)
        self._changed = threading.Condition()
        self._open = True
        # Waking the callers' loop costs the waker its turn; the engine's thread has better to do.
        self._answers = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-answers")
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        """Pictures that wait."""
        with self._changed:
            return len(self._queue)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    async def infer(self, inputs: Batch, deadline: float) -> Answer:
        """Maps of N inputs, such as (N, h, w, 3) uint8 pictures; N is at least 1.

        `deadline` is of `time.monotonic`. More inputs than a batch holds wait in pieces, a few at
        a time, so that a crowd takes turns with other callers.

        Raises:
            DeadlineError, UnavailableError, InternalError
        """
        most = self._engine.max_batch
        if len(inputs) <= most:
            return await self._put(inputs, deadline)
        began = time.monotonic()
        pieces = (inputs[at : at + most] for at in range(0, len(inputs), most))
        answers = await self._in_turns(pieces, deadline)
        parts, queued = [answer.maps for answer in answers], answers[0].queued
        maps = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Answer(maps, queued, time.monotonic() - began - queued)

    async def _in_turns(self, pieces: Iterable[Batch], deadline: float) -> list[Answer]:
        answers: list[Answer] = []
        waiting: deque[asyncio.Future[Answer]] = deque()
        try:
            for piece in pieces:
                if len(waiting) == _PIECES_AHEAD:
                    answers.append(await waiting.popleft())
                waiting.append(self._put(piece, deadline))
            while waiting:
                answers.append(await waiting.popleft())
        finally:
            for left in waiting:  # when another piece has failed
                if not left.cancel() and not left.cancelled():
                    left.exception()  # nobody else will ask for it
        return answers

    def _put(self, inputs: Batch, deadline: float) -> asyncio.Future[Answer]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        entry = Entry(
            item=_Job(inputs, answer, loop),
            size=len(inputs),
            shape=inputs.shape[1:],
            deadline=deadline,
            abandoned=answer.cancelled,
            queued_at=time.monotonic(),
        )
        with self._changed:
            if not self._open:
                raise UnavailableError("The engine is shut down: try again in a moment.")
            self._queue.put(entry)
            self._changed.notify()
        return answer

    def close(self) -> None:
        """Ends the thread after its current batch; what still waits is answered with 503."""
        with self._changed:
            self._open = False
            left = self._queue.clear()
            self._changed.notify()
        for entry in left:
            entry.item.resolve(
                UnavailableError("The service is shutting down: try again in a moment.")
            )
        self._thread.join()
        self._answers.shutdown()
        self._engine.close()

    def _serve(self) -> None:
        while batch := self._next():
            self._run(batch)

    def _next(self) -> list[Entry[_Job]]:
        """Waits for a batch; empty once closed."""
        with self._changed:
            while self._open:
                pull = self._queue.pull()
                for late in pull.expired:
                    late.item.resolve(
                        DeadlineError(
                            "The deadline passed while the image waited: allow more time."
                        )
                    )
                if pull.batch:
                    return pull.batch
                self._changed.wait(pull.wait)
        return []

    def _run(self, batch: list[Entry[_Job]]) -> None:
        started = time.monotonic()
        try:
            maps = self._infer([entry.item.inputs for entry in batch])
        except Exception:  # whatever an engine raises fails this batch only
            log.exception("the engine failed on a batch of %d", len(batch))
            for entry in batch:
                entry.item.resolve(
                    InternalError("The engine failed on this image or one beside it: try again.")
                )
            return
        inferred = time.monotonic() - started
        self._answers.submit(_hand_out, batch, maps, started, inferred)

    def _infer(self, inputs: list[Batch]) -> Maps:
        """Runs inputs of one shape."""
        joined = inputs[0] if len(inputs) == 1 else cast("Batch", np.concatenate(inputs))
        self._on_batch(len(joined))
        return self._engine.infer(joined)


def _hand_out(batch: list[Entry[_Job]], maps: Maps, started: float, inferred: float) -> None:
    first = 0
    for entry in batch:
        own = {name: array[first : first + entry.size] for name, array in maps.items()}
        entry.item.resolve(Answer(own, started - entry.queued_at, inferred))
        first += entry.size


def _settle(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
