"""The lanes of a GPU, and its memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from engines.runtime.pipeline import Event, Lane

T = TypeVar("T")


class CudaLanes:
    """A stream for each lane, and CUDA graphs that share their memory, as one runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        lanes: tuple[Lane, ...] = ("in", "run", "out")
        self._streams = {lane: torch.cuda.Stream(device) for lane in lanes}  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()

    def host(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        with torch.cuda.device(self.device):
            return torch.empty(tuple(shape), dtype=dtype, pin_memory=True)

    def queue(
        self, lane: Lane, work: Callable[[], T], after: Event | None = None
    ) -> tuple[T, Event]:
        with torch.cuda.stream(self._streams[lane]):
            if isinstance(after, torch.cuda.Event):
                after.wait()
            made = work()
            # Who waits for it leaves the core to others.
            event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
            event.record()
        return made, event

    def capture(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]]:
        for _ in range(2):  # what is chosen, compiled or allocated at first is so by now
            self.queue("run", work)[1].synchronize()
        graph, stream = torch.cuda.CUDAGraph(), self._streams["run"]
        # Other threads may allocate meanwhile: those of another GPU, or of the host's buffers.
        with (
            torch.cuda.device(self.device),
            torch.cuda.graph(
                graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"
            ),
        ):
            made = work()
        return made, graph.replay


class DeviceMemory:
    """What all engines of a GPU take of its memory, and the most that they may.

    CUDA's own context and the kernels it loads, some hundred MiB, are not counted.

    Args:
        device: "cuda:0" and so on.
        limit: in MiB; all of the GPU's if None.
    """

    def __init__(self, device: str, limit: int | None = None) -> None:
        self._device = torch.device(device)
        self._total: int = torch.cuda.get_device_properties(self._device).total_memory
        self.limit = self._total if limit is None else min(limit * 2**20, self._total)
        self._outside = 0
        self._bound_torch()

    @property
    def used(self) -> int:
        """Bytes, with those that torch keeps to hand out again."""
        return torch.cuda.memory_reserved(self._device) + self._outside

    def take(self, size: int) -> None:
        """Counts bytes that something else than torch is about to allocate.

        Raises:
            MemoryError: the limit does not allow it.
        """
        if self.used + size > self.limit:
            raise MemoryError(
                f"{self._device} has no room for {_mib(size)} more: {_mib(self.used)} of "
                f"{_mib(self.limit)} are in use; allow more of its memory, or load fewer models"
            )
        self._outside += size
        self._bound_torch()

    def give_back(self, size: int) -> None:
        self._outside -= size
        self._bound_torch()

    def _bound_torch(self) -> None:
        share = (self.limit - self._outside) / self._total
        torch.cuda.set_per_process_memory_fraction(share, self._device)


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
