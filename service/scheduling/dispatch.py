"""Which device starts which batch: pure policy.

A network has one queue, and every device that has the network pulls from it. A device starts
the batch that has waited longest of all its networks', unless another that could start it has
less under way.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from service.scheduling.batching import BatchQueue, Entry, Pull

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Network(Generic[T]):
    queue: BatchQueue[T]
    ahead: dict[Hashable, int] = field(default_factory=dict)  # of each living device


@dataclass(slots=True)
class _Load(Generic[T]):
    batches: dict[int, list[Entry[T]]] = field(default_factory=dict)  # under way, by identity
    counted: float = 0.0  # when its busy time was last counted
    lost: bool = False


class Dispatch(Generic[T]):
    """The queues of all networks and the load of all devices; not thread-safe, its owner locks.

    A device is told from every other, also from one that had its name before.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._networks: dict[str, _Network[T]] = {}
        self._loads: dict[Hashable, _Load[T]] = {}

    def add(self, network: str, queue: BatchQueue[T]) -> None:
        """Serves a network, once devices have joined it."""
        self._networks[network] = _Network(queue)

    def join(self, device: Hashable, ahead: Mapping[str, int]) -> None:
        """A device runs the networks of `ahead`: batches started there while one runs."""
        self._loads.setdefault(device, _Load())
        for network, batches in ahead.items():
            self._networks[network].ahead[device] = batches

    def width(self, network: str) -> int:
        """Devices that are left and have the network."""
        return len(self._networks[network].ahead)

    def waiting(self, network: str) -> int:
        """Pictures that wait."""
        return len(self._networks[network].queue)

    def max_batch(self, network: str) -> int:
        """Pictures that a batch holds."""
        return self._networks[network].queue.max_batch

    def bound(self, network: str, most: int) -> bool:
        """Makes batches no larger than that from now on; whether they were."""
        queue = self._networks[network].queue
        larger = queue.max_batch > most
        queue.max_batch = min(queue.max_batch, most)
        return larger

    def put(self, network: str, entry: Entry[T]) -> None:
        self._networks[network].queue.put(entry)

    def put_back(self, network: str, entries: list[Entry[T]]) -> None:
        """In front of all others of the network."""
        self._networks[network].queue.put_back(entries)

    def under_way(self, device: Hashable) -> int:
        """Batches that it has been given and not ended."""
        return len(self._loads[device].batches) if device in self._loads else 0

    def stalled(self, device: Hashable) -> float:
        """Seconds for which a device has had a batch under way, and ended none."""
        load = self._loads.get(device)
        return self._clock() - load.counted if load and load.batches else 0.0

    def pull(self, device: Hashable) -> Pull[T]:
        """What a device should start now, if anything; it is under way from now on."""
        expired: list[Entry[T]] = []
        waits: list[float] = []
        for queue in self._queues(device):
            pull = queue.pull()
            expired += pull.expired
            if pull.batch:
                self._begin(self._loads[device], pull.batch)
                return Pull(pull.batch, expired, 0)
            if pull.wait is not None:
                waits.append(pull.wait)
        return Pull([], expired, min(waits, default=None))

    def end(self, device: Hashable, batch: list[Entry[T]]) -> float | None:
        """A batch of a device has ended.

        Returns:
            Seconds of its being busy that were not counted yet; None if it was given up.
        """
        load = self._loads.get(device)
        if load is None or load.batches.pop(id(batch), None) is None:
            return None
        since, load.counted = load.counted, self._clock()
        return load.counted - since

    def lost(self, device: Hashable) -> bool:
        """Whether a device is given no more."""
        return device not in self._loads or self._loads[device].lost

    def lose(self, device: Hashable) -> list[Entry[T]]:
        """Gives a device no more, though it may end what it has; what waits in vain, taken out."""
        if device in self._loads:
            self._loads[device].lost = True
        for network in self._networks.values():
            network.ahead.pop(device, None)
        return self._cleared(one.queue for one in self._networks.values() if not one.ahead)

    def forget(self, device: Hashable) -> list[Entry[T]]:
        """Counts no longer on what a lost device has under way: that, taken out."""
        load = self._loads.pop(device, _Load())
        return [entry for batch in load.batches.values() for entry in batch]

    def clear(self) -> list[Entry[T]]:
        """Everything that waits, taken out."""
        return self._cleared(one.queue for one in self._networks.values())

    def _cleared(self, queues: Iterable[BatchQueue[T]]) -> list[Entry[T]]:
        return [entry for queue in queues for entry in queue.clear()]

    def _queues(self, device: Hashable) -> list[BatchQueue[T]]:
        """Those that a device may take a batch of, the one that has waited longest first."""
        may = [one.queue for one in self._networks.values() if self._may_start(device, one.ahead)]
        return sorted(may, key=lambda queue: queue.oldest)

    def _may_start(self, device: Hashable, ahead: Mapping[Hashable, int]) -> bool:
        if device not in ahead or self.under_way(device) > ahead[device]:
            return False
        return self.under_way(device) <= min(map(self.under_way, ahead))

    def _begin(self, load: _Load[T], batch: list[Entry[T]]) -> None:
        if not load.batches:
            load.counted = self._clock()
        load.batches[id(batch)] = batch
