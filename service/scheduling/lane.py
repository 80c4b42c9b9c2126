"""The callers' side of a network: its way to whichever device runs it next."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable

import numpy as np

from engines.runtime.engine import Batch
from service.scheduling.answers import Answer, Job
from service.scheduling.batching import Entry
from service.scheduling.board import Board
from service.telemetry.tracing import TRACE


class Lane:
    """Where a network is asked.

    Args:
        network: its name.
        board: where devices take what is asked for.
        pieces: of one caller's inputs under way at once, so that no engine waits for the next.
    """

    def __init__(self, network: str, board: Board, pieces: int) -> None:
        self._network = network
        self._board = board
        self._pieces = pieces

    def __len__(self) -> int:
        """Pictures that wait."""
        return self._board.waiting(self._network)

    @property
    def max_batch(self) -> int:
        """The most inputs that an engine takes at once."""
        return self._board.max_batch(self._network)

    @property
    def width(self) -> int:
        """Devices that run and have the network."""
        return self._board.width(self._network)

    @property
    def alive(self) -> bool:
        """Whether a device runs that has the network."""
        return self.width > 0

    async def infer(self, inputs: Batch, deadline: float) -> Answer:
        """Maps of N inputs, such as (N, h, w, 3) uint8 pictures; N is at least 1.

        `deadline` is of `time.monotonic`. More inputs than a batch holds wait in pieces, a few at
        a time, so that a crowd takes turns with other callers.

        Raises:
            DeadlineError, UnavailableError, InternalError
        """
        most = self.max_batch
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
                if len(waiting) == self._pieces:
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
            item=Job(self._network, inputs, answer, loop, TRACE.get()),
            size=len(inputs),
            shape=inputs.shape[1:],
            deadline=deadline,
            abandoned=answer.cancelled,
            queued_at=time.monotonic(),
        )
        self._board.put(self._network, entry)
        return answer
