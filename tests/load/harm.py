"""What is done to the engines of a server of `tests.e2e.faulty` while it is loaded."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from tests.e2e.server import Server

# One hang, early: its thread and memory cannot be had back, and the watch looks for a leak later.
_HANG = 1


@dataclass(slots=True)
class Harm:
    """Kills the engine's thread again and again; the first time it hangs instead.

    Args:
        server: whose engine.
        every: seconds from one time to the next; an engine that falls within 10 s of its restart
            is taken for one that cannot be restarted.
    """

    server: Server
    every: float
    kills: int = 0

    @asynccontextmanager
    async def done(self) -> AsyncIterator[None]:
        """Does it meanwhile."""
        task = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def restarts(self) -> int:
        """Of the engine, by the server's own account."""
        return int(self.server.metric('pose_engine_restarts_total{device="cpu"}'))

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self.every)
            self.kills += 1
            kind = signal.SIGUSR2 if self.kills == _HANG else signal.SIGUSR1
            self.server.process.send_signal(kind)
