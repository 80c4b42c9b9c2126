"""Batches through a device: the next one is copied in, and the last one out, while one runs."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from engines.runtime.engine import Batch, Maps, Pending

Shape = tuple[int, ...]  # of a batch
Lane = Literal["in", "run", "out"]
T = TypeVar("T")


class Launch(Protocol):
    """Computes batches on a device."""

    def __call__(self, given: Tensor) -> Sequence[Tensor]:
        """Queues the computation on the current stream; outputs are contiguous and float32."""

    def fixed(self, shape: Shape) -> Launch | None:
        """One for batches of this shape alone, to be captured; None if it cannot be.

        Like a call, it is made where the stream of the computation is the current one.
        """


class Event(Protocol):
    """The end of what was queued."""

    def synchronize(self) -> None: ...


class Lanes(Protocol):
    """Three lanes of a device, which run side by side; each does one thing after the other."""

    device: torch.device

    def host(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Memory of the host's that is copied from and to without holding up the host."""

    def queue(
        self, lane: Lane, work: Callable[[], T], after: Event | None = None
    ) -> tuple[T, Event]:
        """Queues what `work` does in a lane, once `after` has happened."""

    def capture(self, work: Callable[[], T]) -> tuple[T, Callable[[], None]] | None:
        """What `work` gives, and what does it again in the same memory, if the device can."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A computation that is done again on what lies in `given`, giving `made`.

    `of` owns memory that it works with.
    """

    given: Tensor
    made: Sequence[Tensor]
    replay: Callable[[], None]
    of: Launch


class Graphs:
    """Captured computations by the shape of their batch; beyond `most`, the least used are dropped.

    Args:
        most: that are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept: OrderedDict[Shape, Captured] = OrderedDict()

    def put(self, shape: Shape, captured: Captured) -> None:
        self._kept[shape] = captured
        self._kept.move_to_end(shape)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)

    def fit(self, shape: Shape) -> Captured | None:
        """That of the least batch which holds one of `shape`, unless half of it would be idle."""
        count, *sides = shape
        holding = [
            other
            for other in self._kept
            if list(other[1:]) == sides and count <= other[0] < 2 * count
        ]
        if not holding:
            return None
        least = min(holding)
        self._kept.move_to_end(least)
        return self._kept[least]

    def clear(self) -> None:
        self._kept.clear()


@dataclass(frozen=True, slots=True)
class _Running:
    """A batch under way; its memory on the device is kept until it is `done`."""

    memory: tuple[Tensor, ...]
    done: Event


class Pipeline:
    """Batches one after the other, of which parts overlap.

    Buffers are torch's: it keeps what is freed, on the device and pinned on the host, and hands
    it out again, so that from the second batch of a shape on none is made. The maps of an answer
    lie in such a buffer, which is the caller's until it lets go of them.

    Used by one thread at a time. That which calls `warm` had better be that which calls `start`:
    cuDNN remembers what it found fastest for each thread apart.

    Args:
        launch: computes the batches.
        lanes: of the device.
        names: of the outputs.
        dtype: of the batches.
        ahead: batches that may be started while one runs.
        graphs: the most captured computations that are kept.
    """

    def __init__(
        self,
        launch: Launch,
        lanes: Lanes,
        names: Sequence[str],
        dtype: torch.dtype,
        *,
        ahead: int,
        graphs: int,
    ) -> None:
        self.ahead = ahead
        self._launch, self._lanes = launch, lanes
        self._names, self._dtype = tuple(names), dtype
        self._graphs = Graphs(graphs)
        self._running: deque[_Running] = deque()

    @torch.inference_mode()
    def start(self, batch: Batch) -> Pending:
        """Queues a batch. It waits only if more are under way than may be.

        Raises:
            MemoryError: the device has not the memory for it; those under way are not affected.
        """
        while len(self._running) > self.ahead:
            self._running.popleft().done.synchronize()
        lanes = self._lanes
        with clear_memory_error(lanes.device, f"a batch of shape {batch.shape}"):
            host = lanes.host(batch.shape, self._dtype)
            np.copyto(host.numpy(), batch)
            given, copied = lanes.queue("in", lambda: host.to(lanes.device, non_blocking=True))
            made, computed = lanes.queue("run", lambda: self._compute(given), copied)
            answer, done = lanes.queue("out", lambda: [self._fetch(one) for one in made], computed)
        self._running.append(_Running((given, *made), done))

        def pending() -> Maps:
            done.synchronize()
            return dict(zip(self._names, (one.numpy() for one in answer), strict=True))

        return pending

    @torch.inference_mode()
    def warm(self, shapes: Iterable[Shape]) -> None:
        """Captures the computation of batches of these shapes, and runs each of them once.

        Raises:
            MemoryError: the device has not the memory for them.
        """
        # The largest first: what the others need fits into its memory.
        ordered = sorted(set(shapes), key=math.prod, reverse=True)
        for shape in ordered[: self._graphs.most]:
            with clear_memory_error(self._lanes.device, f"batches of shape {shape}"):
                self._capture(shape)
        for shape in ordered:
            self.start(np.zeros(shape, np.uint8))()

    def close(self) -> None:
        """Waits until nothing is under way, and lets go of what was captured."""
        while self._running:
            self._running.popleft().done.synchronize()
        self._graphs.clear()

    def _capture(self, shape: Shape) -> None:
        lanes = self._lanes

        def prepare() -> tuple[Launch | None, Tensor]:
            given = torch.zeros(shape, dtype=self._dtype, device=lanes.device)
            return self._launch.fixed(shape), given

        (launch, given), _ = lanes.queue("run", prepare)
        if launch is None:
            return
        if captured := lanes.capture(lambda: launch(given)):
            self._graphs.put(shape, Captured(given, *captured, launch))

    def _compute(self, given: Tensor) -> Sequence[Tensor]:
        captured = self._graphs.fit(tuple(given.shape))
        if captured is None:
            return self._launch(given)
        count = len(given)
        captured.given[:count].copy_(given)
        captured.replay()
        # The next batch writes to the same memory.
        return [one[:count].clone() for one in captured.made]

    def _fetch(self, made: Tensor) -> Tensor:
        return self._lanes.host(made.shape, made.dtype).copy_(made, non_blocking=True)


class CpuLanes:
    """A CPU does what is queued at once."""

    device = torch.device("cpu")

    def host(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        return torch.empty(tuple(shape), dtype=dtype)

    def queue(
        self,
        lane: Lane,  # noqa: ARG002 - the protocol
        work: Callable[[], T],
        after: Event | None = None,  # noqa: ARG002 - the protocol
    ) -> tuple[T, Event]:
        return work(), _Happened()

    def capture(self, work: Callable[[], T]) -> None:
        work()


class _Happened:
    def synchronize(self) -> None:
        """Nothing is left to wait for."""


@contextmanager
def clear_memory_error(device: torch.device, what: str) -> Iterator[None]:
    """Raises `MemoryError` where a device has no room for something."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(
            f"{device} has no room for {what}: allow more of its memory, or smaller batches "
            f"({error})"
        ) from error
