"""What a process holds while it is loaded, and whether that stays flat."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import psutil

# Allocators give pages back in their own time, and threads of a pool start when they are needed
# first, so the last third is compared with the second, of which the median counts. A leak of one
# picture in a hundred would be many times this in a soak.
_MEMORY, _THREADS, _FILES = 0.05, 2, 12  # a share; and connections come and go


@dataclass(frozen=True, slots=True)
class Sample:
    """At one moment: bytes resident, threads, and file descriptors."""

    memory: int
    threads: int
    files: int


@dataclass(slots=True)
class Watch:
    """Samples of a process."""

    pid: int
    samples: list[Sample] = field(default_factory=list)

    @asynccontextmanager
    async def every(self, seconds: float) -> AsyncIterator[None]:
        """Takes samples meanwhile."""
        task = asyncio.create_task(self._sample(seconds))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError, psutil.NoSuchProcess):
                await task

    def grown(self) -> list[str]:
        """What is not flat, in words: the last third of the samples beside the second."""
        if len(self.samples) < 6:
            raise ValueError("too few samples: watch for longer")
        third = len(self.samples) // 3
        columns = zip(*self._parts(third), strict=True)
        kinds = (
            ("bytes of memory", _MEMORY, 0),
            ("threads", 0, _THREADS),
            ("open files", 0, _FILES),
        )
        return [
            f"{name} grew from {before:.0f} to {after:.0f}"
            for (name, share, few), (before, after) in zip(kinds, columns, strict=True)
            if after > before * (1 + share) + few
        ]

    def summary(self) -> str:
        """Medians of the thirds."""
        third = max(1, len(self.samples) // 3)
        before, after = self._parts(third)
        return (
            f"memory {before[0] / 2**20:.0f} to {after[0] / 2**20:.0f} MB, "
            f"threads {before[1]:.0f} to {after[1]:.0f}, "
            f"open files {before[2]:.0f} to {after[2]:.0f}"
        )

    def _parts(self, third: int) -> tuple[list[float], list[float]]:
        rows = [(one.memory, one.threads, one.files) for one in self.samples]
        parts = (rows[-2 * third : -third] or rows, rows[-third:])
        before, after = (np.median(part, axis=0).tolist() for part in parts)
        return before, after

    async def _sample(self, seconds: float) -> None:
        process = psutil.Process(self.pid)
        while True:
            with process.oneshot():
                memory, threads = process.memory_info().rss, process.num_threads()
            self.samples.append(Sample(memory, threads, process.num_fds()))
            await asyncio.sleep(seconds)
