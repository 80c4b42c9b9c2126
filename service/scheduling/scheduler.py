"""All engines of a service: one queue a network, one engine thread a device."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from engines.runtime.engine import Engine
from service.scheduling.answers import Job, Ran
from service.scheduling.batching import BatchQueue
from service.scheduling.board import Board
from service.scheduling.device import Device
from service.scheduling.lane import Lane


class Scheduler:
    """Runs networks on devices.

    Args:
        on_busy: told the device and the seconds for which it had batches under way.
    """

    def __init__(self, on_busy: Callable[[str, float], None]) -> None:
        self._on_busy = on_busy
        self._on_fall: Callable[[Device], None] = lambda _: None
        self._on_batch: dict[str, Callable[[Ran], None]] = {}  # by network
        self._board = Board()
        self._devices: dict[str, Device] = {}
        self._given_up: list[Device] = []
        self._answers = ThreadPoolExecutor(1, thread_name_prefix="answers")

    @property
    def devices(self) -> Mapping[str, Device]:
        """By name."""
        return self._devices

    @property
    def hangs(self) -> bool:
        """Whether a thread hangs in an engine, which keeps the interpreter from ending well."""
        return any(device.hangs for device in (*self._devices.values(), *self._given_up))

    def watch(self, on_fall: Callable[[Device], None]) -> None:
        """Tells of each device that falls from now on, by whatever thread."""
        self._on_fall = on_fall

    def add(
        self,
        network: str,
        engines: Sequence[Engine],
        on_batch: Callable[[Ran], None],
        max_delay: float = 0.0,
    ) -> Lane:
        """Serves a network from now on.

        Args:
            network: its name; no other has it.
            engines: of the network, each of another device, whose thread alone uses it.
            on_batch: told of every batch that was answered, by a thread.
            max_delay: seconds the oldest picture may wait for company.

        Raises:
            ValueError: two engines are of one device.
        """
        names = [engine.device for engine in engines]
        if len(set(names)) < len(names):
            raise ValueError(f"{network} has two engines on one device: {', '.join(names)}")
        most = min(engine.max_batch for engine in engines)
        self._on_batch[network] = on_batch
        self._board.add(network, BatchQueue[Job](most, max_delay, time.monotonic))
        for engine in engines:
            if engine.device not in self._devices:
                self._devices[engine.device] = self._device(engine.device)
            self._devices[engine.device].add(network, engine, on_batch)
        # All that may be under way, and one that waits.
        pieces = sum(1 + engine.ahead for engine in engines) + 1
        return Lane(network, self._board, pieces)

    def replace(self, name: str, engines: Mapping[str, Engine]) -> Device:
        """Runs these engines, by network, on a device of that name in place of one that fell."""
        fallen, device = self._devices[name], self._device(name)
        self._given_up = [one for one in (*self._given_up, fallen) if one.hangs]
        for network, engine in engines.items():
            device.add(network, engine, self._on_batch[network])
        self._devices[name] = device
        return device

    def close(self, within: float = 5.0) -> None:
        """Ends the threads after what is under way; what still waits is answered with 503.

        Gives up what takes more than `within` seconds to end.
        """
        self._board.close()
        ends = time.monotonic() + within
        for device in self._devices.values():
            device.close(max(0.0, ends - time.monotonic()))
        self._answers.shutdown()

    def _device(self, name: str) -> Device:
        busy = partial(self._on_busy, name)
        return Device(name, self._board, self._answers, busy, self._fell)

    def _fell(self, device: Device) -> None:
        self._on_fall(device)
