"""One instance of the service without its ports: models, queues, and who minds them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from engines.runtime.engine import Engine
from service.admission import State
from service.core import Core
from service.loading import served_names
from service.scheduling.supervisor import Patience, Supervisor
from service.settings import Settings
from service.starting import start_engines, start_model
from service.telemetry.gpu_metrics import watch_gpus
from service.threads import in_daemon

T = TypeVar("T")
log = logging.getLogger("posewire")

LAST_WORDS_S = 2
"""Seconds for what is left to do once all images are done."""


async def _nobody() -> None:
    pass


class Instance:
    """What answers requests, however they come.

    Args:
        settings: every one of them; the weights of its models must be in the cache or
            within reach.
        workers: threads that run the Python between two engine calls.
        on_change: awaited when it has become ready, or is so no more.
    """

    def __init__(
        self,
        settings: Settings,
        workers: int,
        on_change: Callable[[], Awaitable[None]] = _nobody,
    ) -> None:
        self._settings = settings
        self._on_change = on_change
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="pose")
        self.core = Core.of(settings, self._pool)
        watch_gpus(self.core.metrics.registry, settings.gpus)
        self._threads: set[object] = set()  # that cannot be told to stop
        patience = Patience(settings.watchdog, settings.restarts)
        self._supervisor = Supervisor(
            self.core.registry, self._engines, on_change, self.core.metrics, patience
        )

    @property
    def failed(self) -> asyncio.Event:
        """Set once an engine has died for good."""
        return self._supervisor.failed

    @property
    def hangs(self) -> bool:
        """Whether a thread is left that the interpreter would wait for, or end badly with."""
        return bool(self._threads) or self.core.registry.hangs

    async def start(self) -> None:
        """Loads the models; from then on it serves, and its engines are minded."""
        names = served_names(self._settings)
        for name in names:
            load = partial(start_model, name, self._settings, self.core.metrics)
            model = await self._in_thread(load)
            self.core.registry.add(model, self._settings.max_delay_ms / 1e3)
        self.core.admission.state = State.SERVING
        await self._on_change()
        log.info("ready: %s", ", ".join(names))
        self._supervisor.start()

    async def drain(self) -> None:
        """Refuses new work and lets what was accepted finish, within the grace time.

        Before that it still takes work for a while, though it is not ready any more, if it was.
        The servers' own graceful stops would wait for callers who keep an idle stream open.
        """
        if self._settings.drain_delay and not self.core.unready:
            self.core.admission.state = State.LEAVING
            await self._on_change()
            await asyncio.sleep(self._settings.drain_delay)
        log.info("draining: %d images in the system", self.core.admission.inside)
        self.core.admission.state = State.DRAINING
        await self._on_change()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.grace):
                await self.core.admission.emptied()

    async def stop(self) -> None:
        """Stops the engines: what they still have is refused, while the servers can say so."""
        self._supervisor.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * LAST_WORDS_S):
                await self._in_thread(partial(self.core.registry.close, LAST_WORDS_S))

    async def close(self) -> None:
        """Ends what the last answers needed, and sends the last traces if they are taken soon."""
        self._pool.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_S):
                await in_daemon(self.core.tracer.close)

    async def _engines(self, device: str) -> dict[str, Engine]:
        """Those of all networks that a device had, anew."""
        names = self.core.registry.models_on(device)
        load = partial(start_engines, device, names, self._settings, self.core.metrics)
        return await self._in_thread(load)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """What `work` gives, in a thread that is remembered until it ends."""

        def remembered() -> T:
            try:
                return work()
            finally:
                self._threads.discard(remembered)

        self._threads.add(remembered)
        return await in_daemon(remembered)
