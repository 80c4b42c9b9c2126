"""What runs the engines of one device: starts batches, waits for them, has them handed out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import cast

import numpy as np

from engines.runtime.engine import Batch, Engine, Maps, Pending
from service.scheduling.answers import Job, Ran, hand_out
from service.scheduling.batching import Entry
from service.scheduling.board import Board

log = logging.getLogger("posewire")

_DOUBTFUL = 3  # batches in a row that fail, until the engine has to show that it can do better
_PROVEN_S = 10.0  # of answers, after which a restart has helped


@dataclass(slots=True)
class _Network:
    """An engine; `blank` is like what it has answered, and `failures` are since it last has."""

    name: str
    engine: Engine
    on_batch: Callable[[Ran], None]
    blank: Batch | None = None
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Started:
    """A batch under way; without entries, one that is nobody's."""

    network: _Network
    batch: list[Entry[Job]]
    pending: Pending
    began: float


class Device:
    """Runs all engines of one device, so that they never fight for it.

    One thread starts batches. Where some may be ahead of the one that runs, another thread waits
    for them, so that one that comes late is still started before the last has ended. When one of
    them dies the device has fallen: it takes no more.

    Args:
        name: of the device.
        board: where it takes its batches.
        answers: hands them out, in order. Waking the callers' loop costs the waker its turn; the
            engine's threads have better to do.
        on_busy: told the seconds for which batches were under way, after each of them.
        on_fall: told once, by whatever thread, that the device has fallen.
    """

    def __init__(
        self,
        name: str,
        board: Board,
        answers: Executor,
        on_busy: Callable[[float], None],
        on_fall: Callable[[Device], None],
    ) -> None:
        self.name = name
        self.given_up = False
        self._networks: dict[str, _Network] = {}
        self._board = board
        self._answers = answers
        self._on_busy = on_busy
        self._on_fall = on_fall
        self._made_at = self._answered_at = time.monotonic()
        self._fallen, self._falling = False, threading.Lock()
        self._started: SimpleQueue[_Started | None] = SimpleQueue()
        board.join(self, {})
        self._threads = (
            threading.Thread(target=self._serve, name=f"engine-{name}", daemon=True),
            threading.Thread(target=self._wait, name=f"waits-{name}", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether it takes what is asked for."""
        return not self._fallen and all(thread.is_alive() for thread in self._threads)

    @property
    def hangs(self) -> bool:
        """Whether a thread of it does not end, though it has fallen."""
        return self._fallen and any(thread.is_alive() for thread in self._threads)

    @property
    def proven(self) -> bool:
        """Whether it has answered for so long that what befalls it now is a new fault."""
        return self._answered_at - self._made_at >= _PROVEN_S

    @property
    def under_way(self) -> int:
        """Batches that it has taken and not ended."""
        return self._board.under_way(self)

    @property
    def stalled(self) -> float:
        """Seconds for which it has had a batch under way, and ended none."""
        return self._board.stalled(self)

    def add(self, network: str, engine: Engine, on_batch: Callable[[Ran], None]) -> None:
        """Runs a network with `engine`; `on_batch` is told of every batch that was answered, before
        its callers are."""
        self._networks[network] = _Network(network, engine, on_batch)
        self._board.join(self, {network: engine.ahead})

    def give_up(self) -> None:
        """Counts on it no longer: what it has under way is refused, and comes too late."""
        self.given_up = True
        self._fall()
        self._board.forget(self)

    def close(self, within: float) -> None:
        """Waits until what is under way has ended, once it takes no more; closes the engines.

        It is given up if that takes more than `within` seconds; then its engines are left open.
        """
        ends = time.monotonic() + within
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            self.give_up()
            return
        self._board.leave(self)
        self._board.forget(self)
        while self._networks:
            name, network = self._networks.popitem()
            try:
                network.engine.close()
            except Exception:  # that of a device which has failed may, and others are left
                log.exception("the engine of %s on %s does not close", name, self.name)

    def _serve(self) -> None:
        batch: list[Entry[Job]] = []
        try:
            while batch := self._board.take(self):
                network = self._networks[batch[0].item.network]
                if network.failures >= _DOUBTFUL:
                    self._prove(network)
                self._start(network, batch)
        except BaseException:
            log.exception("the thread of %s has died", self.name)
            self._fall()
            self._board.abandon(self, batch)
        finally:
            self._started.put(None)

    def _wait(self) -> None:
        try:
            while started := self._started.get():
                self._finish(started)
        except BaseException:  # nobody is left to wait for what is under way
            log.exception("the thread that waits for %s has died", self.name)
            self.give_up()

    def _prove(self, network: _Network) -> None:
        """Lets an engine answer a blank picture. If it fails at that too it has died: else the
        pictures that it was given were at fault."""
        network.failures = 0
        if network.blank is not None:
            log.warning("%s failed %d times: trying a blank picture", self.name, _DOUBTFUL)
            pending = network.engine.start(network.blank)
            self._await(_Started(network, [], pending, time.monotonic()))

    def _start(self, network: _Network, batch: list[Entry[Job]]) -> None:
        began = time.monotonic()
        try:
            pending = self._begin(network, _joined([entry.item.inputs for entry in batch]))
        except Exception as error:  # whatever an engine raises fails this batch only
            self._fail(network, batch, error)
        else:
            self._await(_Started(network, batch, pending, began))

    def _begin(self, network: _Network, inputs: Batch) -> Pending:
        """Starts a batch, or what there is memory for of it after the other."""
        try:
            return network.engine.start(inputs)
        except MemoryError:
            if len(inputs) == 1:
                raise
        half = (len(inputs) + 1) // 2
        if self._board.bound(network.name, half):
            log.warning(
                "%s has no room for %d inputs of %s: it gets at most %d at once from now on",
                *(self.name, len(inputs), network.name, half),
            )
        first, second = (self._begin(network, part) for part in (inputs[:half], inputs[half:]))
        return lambda: _together(first(), second())

    def _await(self, started: _Started) -> None:
        if started.network.engine.ahead:
            self._started.put(started)
        else:
            self._finish(started)

    def _finish(self, started: _Started) -> None:
        network, batch = started.network, started.batch
        try:
            maps = started.pending()
        except Exception as error:
            if not batch:
                raise
            self._fail(network, batch, error)
            return
        network.failures = 0
        if batch:
            self._answer(started, maps)

    def _answer(self, started: _Started, maps: Maps) -> None:
        network, batch, began = started.network, started.batch, started.began
        ended = self._answered_at = time.monotonic()
        seconds = self._end(batch)
        if seconds is None:
            return
        if network.blank is None:
            network.blank = np.zeros_like(batch[0].item.inputs[:1])
        pictures = sum(entry.size for entry in batch)
        traces = tuple(one.item.trace for one in batch if one.item.trace is not None)
        ran = Ran(network.name, self.name, pictures, began, ended, seconds, traces)
        self._answers.submit(_tell, network.on_batch, ran)
        self._answers.submit(hand_out, batch, maps, began, ended - began)

    def _fail(self, network: _Network, batch: list[Entry[Job]], error: Exception) -> None:
        network.failures += 1
        pictures = sum(entry.size for entry in batch)
        log.error("%s failed on a batch of %d", self.name, pictures, exc_info=error)
        if self._end(batch) is not None:
            self._board.retry(batch, error)

    def _end(self, batch: list[Entry[Job]]) -> float | None:
        """Seconds that the device took for it; None if it was given up meanwhile."""
        seconds = self._board.end(self, batch)
        if seconds is not None:
            self._on_busy(seconds)
        return seconds

    def _fall(self) -> None:
        with self._falling:
            fallen, self._fallen = self._fallen, True
        if not fallen:
            self._board.leave(self)
            self._on_fall(self)


def _tell(on_batch: Callable[[Ran], None], ran: Ran) -> None:
    try:
        on_batch(ran)
    except Exception:  # whoever counts or traces batches keeps no caller from its answer
        log.exception("a batch could not be told of")


def _joined(inputs: list[Batch]) -> Batch:
    """Inputs of one shape as one batch."""
    return inputs[0] if len(inputs) == 1 else cast("Batch", np.concatenate(inputs))


def _together(first: Maps, second: Maps) -> Maps:
    return {name: np.concatenate((first[name], second[name])) for name in first}
