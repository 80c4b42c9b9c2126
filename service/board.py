"""Where callers put what they ask for, and devices take their batches: the dispatch, locked."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from service.answers import Job, refuse
from service.batching import BatchQueue, Entry
from service.dispatch import Dispatch
from service.errors import DeadlineError, UnavailableError


class Board:
    """Shared by the callers' loop and every device's thread."""

    def __init__(self) -> None:
        self._dispatch: Dispatch[Job] = Dispatch(time.monotonic)
        self._changed = threading.Condition()
        self._open = True

    def add(self, network: str, queue: BatchQueue[Job], ahead: Mapping[str, int]) -> None:
        """See `Dispatch.add`."""
        with self._changed:
            self._dispatch.add(network, queue, ahead)

    def alive(self, network: str) -> bool:
        """Whether a device runs that has the network."""
        with self._changed:
            return self._dispatch.alive(network)

    def waiting(self, network: str) -> int:
        """Pictures that wait."""
        with self._changed:
            return self._dispatch.waiting(network)

    def put(self, network: str, entry: Entry[Job]) -> None:
        """Raises `UnavailableError` when nothing will take it."""
        with self._changed:
            if not self._open:
                raise UnavailableError("The engine is shut down: try again in a moment.")
            if not self._dispatch.alive(network):
                raise _stopped()
            self._dispatch.put(network, entry)
            self._changed.notify_all()  # not each of those asleep may take it

    def under_way(self, device: str) -> int:
        """Batches that a device has taken and not ended."""
        with self._changed:
            return self._dispatch.under_way(device)

    def take(self, device: str) -> list[Entry[Job]]:
        """Waits for the next batch that a device should start; empty once closed."""
        with self._changed:
            while self._open:
                pull = self._dispatch.pull(device)
                refuse(pull.expired, _late)
                if pull.batch:
                    self._changed.notify_all()  # to others it has been the least loaded
                    return pull.batch
                self._changed.wait(pull.wait)
        return []

    def end(self, device: str) -> float:
        """A batch of a device has ended; see `Dispatch.end`."""
        with self._changed:
            self._changed.notify_all()
            return self._dispatch.end(device)

    def leave(self, device: str) -> None:
        """A device takes no more; what only it could have run is refused."""
        with self._changed:
            refuse(self._dispatch.lose(device), _stopped)
            self._changed.notify_all()

    def close(self) -> None:
        """Refuses what waits, and all that is put from now on."""
        with self._changed:
            self._open = False
            refuse(self._dispatch.clear(), _closed)
            self._changed.notify_all()


def _late() -> DeadlineError:
    return DeadlineError("The deadline passed while the image waited: allow more time.")


def _stopped() -> UnavailableError:
    return UnavailableError("The engine has stopped after a fault: try again in a moment.")


def _closed() -> UnavailableError:
    return UnavailableError("The service is shutting down: try again in a moment.")
