"""The requests of a soak: three protocols, good and bad pictures, callers who leave."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

import numpy as np

from tests.e2e.server import Server
from tests.load.answers import Seen
from tests.load.grpc_caller import GrpcCaller
from tests.load.http_caller import HttpCaller
from tests.load.pictures import bad, people
from tests.load.replies import Reply
from tests.load.stream_caller import StreamCaller
from tests.load.verdicts import Sent, Verdicts

_BAD = 0.2  # of the requests
_MOST_PATIENCE_S = 0.5  # of those who leave; some are answered before


class Mixture:
    """Sends what it draws, and judges what comes back.

    Args:
        server: under way; the loop that runs must be the one that sends.
        pictures: good ones that differ.
        leaving: share of the callers who may leave.
        seed: of the draws.
    """

    def __init__(
        self, server: Server, pictures: int = 40, leaving: float = 0.1, seed: int = 0
    ) -> None:
        self._leaving = leaving
        self.verdicts = Verdicts()
        self._http, self._stream = HttpCaller(server.http), StreamCaller(server.grpc)
        self._callers = (self._http, GrpcCaller(server.grpc), self._stream)
        self._good, self._bad = people(pictures), bad()
        self.expected: list[Seen] = []
        self._source = np.random.default_rng(seed)

    async def learn(self) -> None:
        """Asks for each good picture while nothing else is asked.

        Raises:
            ValueError: it is not answered, or nobody is seen in it.
        """
        for picture in self._good:
            reply = await self._http.call(self._http.prepare(picture.data))
            if not reply.ok:
                raise ValueError(f"a picture of the soak is answered with {reply}")
            self.expected.append(Seen.of(reply))
        if not all(len(seen.keypoints) for seen in self.expected):
            raise ValueError("nobody is seen in a picture of the soak: use another model")

    def send(self, _: int) -> tuple[str, Awaitable[Reply]]:
        """Draws a request and sends it."""
        source = self._source
        caller = self._callers[source.integers(len(self._callers))]
        patience = source.uniform(0, _MOST_PATIENCE_S) if source.random() < self._leaving else None
        if source.random() < _BAD:
            picture, expected = self._bad[source.integers(len(self._bad))], None
        else:
            number = int(source.integers(len(self._good)))
            picture, expected = self._good[number], self.expected[number]
        may_leave = patience is not None or caller is self._stream
        sent = Sent(caller.protocol, picture, expected, may_leave)
        request = caller.prepare(picture.data)
        return caller.protocol, self._judged(sent, caller.call(request, patience))

    async def close(self) -> int:
        """Closes all connections; the answers that nobody had asked for."""
        for caller in self._callers:
            await caller.close()
        return self._http.extra + self._stream.extra

    async def _judged(self, sent: Sent, answer: Awaitable[Reply]) -> Reply:
        reply = await answer
        self.verdicts.judge(sent, reply)
        return replace(reply, body=b"")  # which nobody looks at again
