"""Where callers put what they ask for, and devices take their batches: the dispatch, locked."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import replace

from service.errors import DeadlineError, InternalError, UnavailableError
from service.scheduling.answers import Job, refuse
from service.scheduling.batching import BatchQueue, Entry
from service.scheduling.dispatch import Dispatch


class Board:
    """Shared by the callers' loop and every device's thread."""

    def __init__(self) -> None:
        self._dispatch: Dispatch[Job] = Dispatch(time.monotonic)
        self._changed = threading.Condition()
        self._open = True

    def add(self, network: str, queue: BatchQueue[Job]) -> None:
        """See `Dispatch.add`."""
        with self._changed:
            self._dispatch.add(network, queue)

    def join(self, device: Hashable, ahead: Mapping[str, int]) -> None:
        """See `Dispatch.join`."""
        with self._changed:
            self._dispatch.join(device, ahead)
            self._changed.notify_all()

    def width(self, network: str) -> int:
        """Devices that run and have the network."""
        with self._changed:
            return self._dispatch.width(network)

    def waiting(self, network: str) -> int:
        """Pictures that wait."""
        with self._changed:
            return self._dispatch.waiting(network)

    def max_batch(self, network: str) -> int:
        """The most inputs that an engine takes at once."""
        with self._changed:
            return self._dispatch.max_batch(network)

    def bound(self, network: str, most: int) -> bool:
        """See `Dispatch.bound`."""
        with self._changed:
            return self._dispatch.bound(network, most)

    def put(self, network: str, entry: Entry[Job]) -> None:
        """Raises `UnavailableError` when nothing will take it."""
        with self._changed:
            if not self._open:
                raise UnavailableError("The engine is shut down: try again in a moment.")
            if not self._dispatch.width(network):
                raise stopped()
            self._dispatch.put(network, entry)
            self._changed.notify_all()  # not each of those asleep may take it

    def under_way(self, device: Hashable) -> int:
        """Batches that a device has taken and not ended."""
        with self._changed:
            return self._dispatch.under_way(device)

    def stalled(self, device: Hashable) -> float:
        """See `Dispatch.stalled`."""
        with self._changed:
            return self._dispatch.stalled(device)

    def take(self, device: Hashable) -> list[Entry[Job]]:
        """Waits for the next batch that a device should start; empty once closed, or it left."""
        with self._changed:
            while self._open and not self._dispatch.lost(device):
                pull = self._dispatch.pull(device)
                refuse(pull.expired, _late)
                if pull.batch:
                    self._changed.notify_all()  # to others it has been the least loaded
                    return pull.batch
                self._changed.wait(pull.wait)
        return []

    def end(self, device: Hashable, batch: list[Entry[Job]]) -> float | None:
        """A batch of a device has ended; see `Dispatch.end`."""
        with self._changed:
            self._changed.notify_all()
            return self._dispatch.end(device, batch)

    def abandon(self, device: Hashable, batch: list[Entry[Job]]) -> None:
        """A batch will not be ended by its device, if it was not: it is refused."""
        if self.end(device, batch) is not None:
            refuse(batch, stopped)

    def retry(self, batch: list[Entry[Job]], error: Exception) -> None:
        """Puts the entries of a batch that failed back, each alone; those that were fail."""
        why = _too_much if isinstance(error, MemoryError) else _failed
        refuse([entry for entry in batch if entry.alone], why)
        again = [replace(entry, alone=True) for entry in batch if not entry.alone]
        network = batch[0].item.network
        with self._changed:
            if not self._open:
                refuse(again, _closed)
            elif not self._dispatch.width(network):
                refuse(again, stopped)
            else:
                self._dispatch.put_back(network, again)
                self._changed.notify_all()

    def leave(self, device: Hashable) -> None:
        """A device takes no more; what only it could have run is refused."""
        with self._changed:
            refuse(self._dispatch.lose(device), stopped)
            self._changed.notify_all()

    def forget(self, device: Hashable) -> None:
        """A device that has left will not end what it has under way: that is refused."""
        with self._changed:
            refuse(self._dispatch.forget(device), stopped)

    def close(self) -> None:
        """Refuses what waits, and all that is put from now on."""
        with self._changed:
            self._open = False
            refuse(self._dispatch.clear(), _closed)
            self._changed.notify_all()


def _late() -> DeadlineError:
    return DeadlineError("The deadline passed while the image waited: allow more time.")


def _failed() -> InternalError:
    return InternalError("The engine failed on this image, alone too: try another one.")


def _too_much() -> InternalError:
    return InternalError("The engine has no memory for this image: send a smaller one.")


def stopped() -> UnavailableError:
    """What a caller is told while no device runs what it asks for."""
    return UnavailableError("The engine has stopped after a fault: try again in a moment.")


def _closed() -> UnavailableError:
    return UnavailableError("The service is shutting down: try again in a moment.")
