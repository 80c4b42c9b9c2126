"""Which device starts which batch: pure policy.

A network has one queue, and every device that has the network pulls from it. A device starts
the batch that has waited longest of all its networks', unless another that could start it has
less under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from service.batching import BatchQueue, Entry, Pull

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Network(Generic[T]):
    queue: BatchQueue[T]
    ahead: dict[str, int]  # of each living device


@dataclass(slots=True)
class _Load:
    batches: int = 0
    counted: float = 0.0  # when its busy time was last counted


class Dispatch(Generic[T]):
    """The queues of all networks and the load of all devices; not thread-safe, its owner locks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._networks: dict[str, _Network[T]] = {}
        self._loads: dict[str, _Load] = {}

    def add(self, network: str, queue: BatchQueue[T], ahead: Mapping[str, int]) -> None:
        """Serves a network on the devices of `ahead`: batches started there while one runs."""
        self._networks[network] = _Network(queue, dict(ahead))
        for device in ahead:
            self._loads.setdefault(device, _Load())

    def alive(self, network: str) -> bool:
        """Whether a device is left that has the network."""
        return bool(self._networks[network].ahead)

    def waiting(self, network: str) -> int:
        """Pictures that wait."""
        return len(self._networks[network].queue)

    def put(self, network: str, entry: Entry[T]) -> None:
        self._networks[network].queue.put(entry)

    def under_way(self, device: str) -> int:
        """Batches that it has been given and not ended."""
        return self._loads[device].batches

    def pull(self, device: str) -> Pull[T]:
        """What a device should start now, if anything; it is under way from now on."""
        expired: list[Entry[T]] = []
        waits: list[float] = []
        for queue in self._queues(device):
            pull = queue.pull()
            expired += pull.expired
            if pull.batch:
                self._begin(self._loads[device])
                return Pull(pull.batch, expired, 0)
            if pull.wait is not None:
                waits.append(pull.wait)
        return Pull([], expired, min(waits, default=None))

    def end(self, device: str) -> float:
        """A batch of a device has ended; seconds of its being busy that were not counted yet."""
        load, now = self._loads[device], self._clock()
        load.batches -= 1
        since, load.counted = load.counted, now
        return now - since

    def lose(self, device: str) -> list[Entry[T]]:
        """Counts on a device no longer; what now waits in vain, taken out."""
        for network in self._networks.values():
            network.ahead.pop(device, None)
        dead = [network.queue for network in self._networks.values() if not network.ahead]
        return [entry for queue in dead for entry in queue.clear()]

    def clear(self) -> list[Entry[T]]:
        """Everything that waits, taken out."""
        return [entry for one in self._networks.values() for entry in one.queue.clear()]

    def _queues(self, device: str) -> list[BatchQueue[T]]:
        """Those that a device may take a batch of, the one that has waited longest first."""
        may = [one.queue for one in self._networks.values() if self._may_start(device, one.ahead)]
        return sorted(may, key=lambda queue: queue.oldest)

    def _may_start(self, device: str, ahead: Mapping[str, int]) -> bool:
        if device not in ahead or self.under_way(device) > ahead[device]:
            return False
        return self.under_way(device) <= min(map(self.under_way, ahead))

    def _begin(self, load: _Load) -> None:
        if not load.batches:
            load.counted = self._clock()
        load.batches += 1
