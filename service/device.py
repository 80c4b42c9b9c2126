"""What runs the engines of one device: starts batches, waits for them, has them handed out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import numpy as np

from engines.runtime.engine import Batch, Engine, Pending
from service.answers import Job, hand_out, refuse
from service.batching import Entry
from service.board import Board
from service.errors import InternalError

log = logging.getLogger("posewire")


@dataclass(frozen=True, slots=True)
class _Network:
    engine: Engine
    on_batch: Callable[[int], None]


class Device:
    """Runs all engines of one device, so that they never fight for it.

    One thread starts batches. Where some may be ahead of the one that runs, another thread waits
    for them, so that one that comes late is still started before the last has ended.

    Args:
        name: of the device.
        board: where it takes its batches.
        answers: hands them out. Waking the callers' loop costs the waker its turn; the engine's
            threads have better to do.
        on_busy: told the seconds for which batches were under way, after each of them.
    """

    def __init__(
        self, name: str, board: Board, answers: Executor, on_busy: Callable[[float], None]
    ) -> None:
        self.name = name
        self._networks: dict[str, _Network] = {}
        self._board = board
        self._answers = answers
        self._on_busy = on_busy
        self._waits = ThreadPoolExecutor(1, thread_name_prefix=f"waits-{name}")
        self._thread = threading.Thread(target=self._serve, name=f"engine-{name}", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def under_way(self) -> int:
        """Batches that it has taken and not ended."""
        return self._board.under_way(self.name)

    def add(self, network: str, engine: Engine, on_batch: Callable[[int], None]) -> None:
        """Runs a network with `engine`; `on_batch` is told the pictures of every batch."""
        self._networks[network] = _Network(engine, on_batch)

    def close(self) -> None:
        """Waits until what is under way has ended, once the board is closed; closes the engines."""
        self._thread.join()
        self._waits.shutdown()
        for name, network in self._networks.items():
            try:
                network.engine.close()
            except Exception:  # that of a device which has failed may, and others are left
                log.exception("the engine of %s on %s does not close", name, self.name)

    def _serve(self) -> None:
        try:
            while batch := self._board.take(self.name):
                self._start(batch)
        finally:  # also when it dies
            self._board.leave(self.name)

    def _start(self, batch: list[Entry[Job]]) -> None:
        began = time.monotonic()
        network = self._networks[batch[0].item.network]
        try:
            inputs = _joined([entry.item.inputs for entry in batch])
            network.on_batch(len(inputs))
            pending = network.engine.start(inputs)
        except Exception:  # whatever an engine raises fails this batch only
            self._fail(batch)
        except BaseException:
            self._fail(batch)
            raise
        else:
            if network.engine.ahead:
                self._waits.submit(self._finish, batch, pending, began)
            else:
                self._finish(batch, pending, began)

    def _finish(self, batch: list[Entry[Job]], pending: Pending, began: float) -> None:
        try:
            maps = pending()
        except BaseException:  # which nobody would be told of
            self._fail(batch)
            return
        inferred = time.monotonic() - began
        self._answers.submit(hand_out, batch, maps, began, inferred)
        self._end()

    def _fail(self, batch: list[Entry[Job]]) -> None:
        log.exception("%s failed on a batch of %d", self.name, len(batch))
        refuse(batch, _failed)
        self._end()

    def _end(self) -> None:
        self._on_busy(self._board.end(self.name))


def _joined(inputs: list[Batch]) -> Batch:
    """Inputs of one shape as one batch."""
    return inputs[0] if len(inputs) == 1 else cast("Batch", np.concatenate(inputs))


def _failed() -> InternalError:
    return InternalError("The engine failed on this image or one beside it: try again.")
