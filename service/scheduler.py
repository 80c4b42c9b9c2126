"""All engines of a service: one queue a network, one engine thread a device."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from engines.runtime.engine import Engine
from service.answers import Job
from service.batching import BatchQueue
from service.board import Board
from service.device import Device
from service.lane import Lane


class Scheduler:
    """Runs networks on devices.

    Args:
        on_busy: told the device and the seconds for which it had batches under way.
    """

    def __init__(self, on_busy: Callable[[str, float], None]) -> None:
        self._on_busy = on_busy
        self._board = Board()
        self._devices: dict[str, Device] = {}
        self._answers = ThreadPoolExecutor(1, thread_name_prefix="answers")

    @property
    def devices(self) -> Mapping[str, Device]:
        """By name."""
        return self._devices

    def add(
        self,
        network: str,
        engines: Sequence[Engine],
        on_batch: Callable[[int], None],
        max_delay: float = 0.0,
    ) -> Lane:
        """Serves a network from now on.

        Args:
            network: its name; no other has it.
            engines: of the network, each of another device, whose thread alone uses it.
            on_batch: told the number of pictures of every batch.
            max_delay: seconds the oldest picture may wait for company.
        """
        most = min(engine.max_batch for engine in engines)
        for engine in engines:
            self._device(engine.device).add(network, engine, on_batch)
        queue: BatchQueue[Job] = BatchQueue(most, max_delay, time.monotonic)
        self._board.add(network, queue, {engine.device: engine.ahead for engine in engines})
        # All that may be under way, and one that waits.
        pieces = sum(1 + engine.ahead for engine in engines) + 1
        return Lane(network, self._board, most, pieces)

    def close(self) -> None:
        """Ends the threads after what is under way; what still waits is answered with 503."""
        self._board.close()
        for device in self._devices.values():
            device.close()
        self._answers.shutdown()

    def _device(self, name: str) -> Device:
        if name not in self._devices:
            busy = partial(self._on_busy, name)
            self._devices[name] = Device(name, self._board, self._answers, busy)
        return self._devices[name]
