"""Wires models, queues and both servers on one event loop; start, drain, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from engines.runtime.engine import Engine
from service.access.tls import Tls
from service.admission import State
from service.console import ENGINE_DIED
from service.core import Core
from service.http.protocol import ConnectionLimits
from service.http.rest import create_app
from service.http.server import HttpServer
from service.loading import served_names
from service.rpc.server import SERVICES, bind, create_server
from service.scheduling.supervisor import Patience, Supervisor
from service.settings import Settings
from service.sockets import listen
from service.starting import start_engines, start_model
from service.telemetry.gpu_metrics import watch_gpus
from service.threads import in_daemon, one_thread

T = TypeVar("T")
log = logging.getLogger("posewire")

_LAST_WORDS_S = 2  # to write the last answers, once all images are done
_Status = health_pb2.HealthCheckResponse.ServingStatus


class App:
    """The whole service.

    Args:
        settings: every one of them; the weights of its models must be in the cache or
            within reach.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="pose")
        self._core = Core.of(settings, self._pool)
        self._tls = Tls.of(settings)
        watch_gpus(self._core.metrics.registry, settings.gpus)
        self._health = health_aio.HealthServicer()
        self._stop = asyncio.Event()
        self._threads: set[object] = set()  # that cannot be told to stop

    @property
    def hangs(self) -> bool:
        """Whether a thread is left that the interpreter would wait for, or end badly with."""
        return bool(self._threads) or self._core.registry.hangs

    async def run(self) -> int:
        """Serves until SIGTERM or SIGINT, or until an engine has died for good; then finishes what
        it has accepted.

        Returns:
            The exit status.
        """
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop.set)
        await self._tell_health()
        listening = listen(self._settings.host, self._settings.http_port, "http")
        log.info("HTTP on %s:%d", *listening.getsockname()[:2])
        rpc = await self._start_rpc()
        limits = ConnectionLimits.of(self._settings)
        tls = self._tls.http() if self._tls else None
        http = HttpServer(create_app(self._core), _LAST_WORDS_S, limits, tls)
        serving = asyncio.create_task(http.serve([listening]))
        stopping = asyncio.create_task(self._stop.wait())
        supervisor = self._supervisor()
        failing = asyncio.create_task(supervisor.failed.wait())
        starting = asyncio.create_task(self._start_models())
        ends = {stopping, serving, failing}
        try:
            await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                supervisor.start()
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (starting, stopping, failing):
                task.cancel()
            await self._drain()
            supervisor.stop()
            await self._stop_engines()
            http.should_exit = True
            await asyncio.gather(rpc.stop(_LAST_WORDS_S), serving)
            self._pool.shutdown()
            await self._send_traces()
        log.info("stopped")
        return ENGINE_DIED if supervisor.failed.is_set() else 0

    async def _send_traces(self) -> None:
        """The last ones, if their receiver takes them soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await in_daemon(self._core.tracer.close)

    async def _drain(self) -> None:
        """Refuses new work and lets what was accepted finish, within the grace time.

        Before that it still takes work for a while, though it is not ready any more, if it was.
        The servers' own graceful stops would wait for callers who keep an idle stream open.
        """
        if self._settings.drain_delay and not self._core.unready:
            self._core.admission.state = State.LEAVING
            await self._tell_health()
            await asyncio.sleep(self._settings.drain_delay)
        log.info("draining: %d images in the system", self._core.admission.inside)
        self._core.admission.state = State.DRAINING
        await self._tell_health()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.grace):
                await self._core.admission.emptied()

    async def _stop_engines(self) -> None:
        """What they still have is refused, while the servers can say so."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * _LAST_WORDS_S):
                await self._in_thread(partial(self._core.registry.close, _LAST_WORDS_S))

    async def _start_models(self) -> None:
        names = served_names(self._settings)
        for name in names:
            load = partial(start_model, name, self._settings, self._core.metrics)
            model = await self._in_thread(load)
            self._core.registry.add(model, self._settings.max_delay_ms / 1e3)
        self._core.admission.state = State.SERVING
        await self._tell_health()
        log.info("ready: %s", ", ".join(names))

    def _supervisor(self) -> Supervisor:
        registry, settings, metrics = self._core.registry, self._settings, self._core.metrics

        async def load(device: str) -> dict[str, Engine]:
            names = registry.models_on(device)
            return await self._in_thread(partial(start_engines, device, names, settings, metrics))

        patience = Patience(settings.watchdog, settings.restarts)
        return Supervisor(registry, load, self._tell_health, metrics, patience)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """What `work` gives, in a thread that is remembered until it ends."""

        def remembered() -> T:
            try:
                return work()
            finally:
                self._threads.discard(remembered)

        self._threads.add(remembered)
        return await in_daemon(remembered)

    async def _start_rpc(self) -> grpc.aio.Server:
        server = create_server(self._core, self._health)
        port = bind(server, self._settings, self._tls)
        await server.start()
        log.info("gRPC on %s:%d", self._settings.host, port)
        return server

    async def _tell_health(self) -> None:
        for service in ("", *SERVICES):  # each as it is then: another change may come in between
            status = _Status.SERVING if not self._core.unready else _Status.NOT_SERVING
            await self._health.set(service, status)


def serve(settings: Settings) -> None:
    """Runs the service until it is told to stop.

    Raises:
        SystemExit: an engine died for good.
    """
    app = App(settings)
    with one_thread():
        status = asyncio.run(app.run())
    if app.hangs:  # what is half built is removed by the next process
        logging.shutdown()
        os._exit(status)
    if status:
        raise SystemExit(status)
