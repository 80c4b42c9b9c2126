"""Restarts devices that have fallen: whose thread died, or which hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from engines.runtime.engine import Engine
from service.scheduling.device import Device
from service.scheduling.registry import Registry
from service.telemetry.metrics import Metrics
from service.threads import in_daemon

log = logging.getLogger("posewire")

_LONGEST_S = 30.0  # between two restarts
_LOAD_S = 600.0  # a restart that takes longer has failed


@dataclass(frozen=True, slots=True)
class Patience:
    """How long faults are borne.

    Attributes:
        watchdog: seconds for which a device may have a batch under way and end none.
        restarts: of a device that may fail in a row.
        pause: seconds before the first restart; it doubles with each that fails.
    """

    watchdog: float
    restarts: int
    pause: float = 1.0


class Supervisor:
    """Minds the devices of a registry, on the loop that it is started on.

    Where no device is left that has some network, and each that fell was restarted in vain as
    often as it may be, `failed` is set. Else restarts go on, with the longest pause.

    Args:
        registry: of the models.
        load: the engines of all networks that a device had, by network, which have answered a
            first picture; awaited on the loop.
        on_change: awaited when a device has fallen or runs again.
        metrics: counts restarts.
        patience: how long faults are borne.
    """

    def __init__(
        self,
        registry: Registry,
        load: Callable[[str], Awaitable[Mapping[str, Engine]]],
        on_change: Callable[[], Awaitable[None]],
        metrics: Metrics,
        patience: Patience,
    ) -> None:
        self.failed = asyncio.Event()
        self._registry, self._load, self._on_change = registry, load, on_change
        self._metrics, self._patience = metrics, patience
        self._restoring: dict[str, asyncio.Task[None]] = {}
        self._tried: dict[str, int] = {}  # restarts in a row
        self._watch: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """From now on, until `stop`."""
        loop = asyncio.get_running_loop()

        def on_fall(device: Device) -> None:  # by whatever thread
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._fell, device)

        self._registry.watch(on_fall)
        self._look()

    def stop(self) -> None:
        """Restarts nothing any more."""
        self._registry.watch(lambda _: None)
        if self._watch:
            self._watch.cancel()
        for task in self._restoring.values():
            task.cancel()

    def _look(self) -> None:
        """Gives up devices that hang, and looks again when the next one may."""
        due = self._patience.watchdog
        for device in self._registry.devices.values():
            left = self._patience.watchdog - device.stalled
            if device.alive and left <= 0:
                log.error("%s hangs: it is given up", device.name)
                device.give_up()
            elif device.alive:
                due = min(due, left)
        self._watch = asyncio.get_running_loop().call_later(due, self._look)

    def _fell(self, device: Device) -> None:
        task = asyncio.create_task(self._restore(device))
        self._restoring[device.name] = task

    async def _restore(self, fallen: Device) -> None:
        name = fallen.name
        tried = 0 if fallen.proven else self._tried.get(name, 0)
        await self._on_change()
        await self._let_go(fallen)
        while True:
            self._tried[name] = tried
            if self._hopeless():
                log.error("%s does not run after %d restarts", name, tried)
                self.failed.set()
                return
            pause = min(_LONGEST_S, self._patience.pause * 2 ** min(tried, 10))
            log.info("%s is restarted in %g s", name, pause)
            await asyncio.sleep(pause)
            tried += 1
            self._metrics.restarts.labels(name).inc()
            try:
                async with asyncio.timeout(_LOAD_S):
                    self._registry.replace(name, await self._load(name))
                break
            except Exception:
                log.exception("%s does not start", name)
        self._tried[name] = tried
        log.info("%s runs again", name)
        await self._on_change()

    async def _let_go(self, fallen: Device) -> None:
        """Waits for what a device has under way, if it may end, and closes its engines."""
        within = 0.0 if fallen.given_up else self._patience.watchdog
        with suppress(TimeoutError):
            async with asyncio.timeout(within + self._patience.watchdog):
                await in_daemon(partial(fallen.close, within))

    def _hopeless(self) -> bool:
        """Whether a model is dead, and no restart is left to any device that has fallen."""
        fallen = [one.name for one in self._registry.devices.values() if not one.alive]
        return bool(self._registry.dead()) and all(
            self._tried.get(name, 0) >= self._patience.restarts for name in fallen
        )
