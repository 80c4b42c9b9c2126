"""Wires models, queues and both servers on one event loop; start, drain, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import grpc
import numpy as np
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from engines.model import Model, run
from service.admission import State
from service.core import Core
from service.http_server import HttpServer
from service.loading import load_model, memory_in_use, served_names
from service.rest import create_app
from service.rpc_server import SERVICE, bind, create_server
from service.settings import Settings
from service.sockets import listen
from service.threads import in_daemon, one_thread

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
        self._health = health_aio.HealthServicer()
        self._stop = asyncio.Event()
        self.loading = False  # a model, in a thread that cannot be told to stop

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then finishes what it has accepted."""
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop.set)
        await self._set_health(serving=False)
        listening = listen(self._settings.host, self._settings.http_port, "http")
        log.info("HTTP on %s:%d", *listening.getsockname()[:2])
        rpc = await self._start_rpc()
        http = HttpServer(create_app(self._core), _LAST_WORDS_S)
        serving = asyncio.create_task(http.serve([listening]))
        stopping = asyncio.create_task(self._stop.wait())
        starting = asyncio.create_task(self._start_models())
        try:
            await asyncio.wait({starting, stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            starting.cancel()
            stopping.cancel()
            await self._drain()
            http.should_exit = True
            await asyncio.gather(rpc.stop(_LAST_WORDS_S), serving)
            self._core.registry.close()
            self._pool.shutdown()
        log.info("stopped")

    async def _drain(self) -> None:
        """Refuses new work and lets what was accepted finish, within the grace time.

        The servers' own graceful stops would wait for callers who keep an idle stream open.
        """
        log.info("draining: %d images in the system", self._core.admission.inside)
        self._core.admission.state = State.DRAINING
        await self._set_health(serving=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.grace):
                await self._core.admission.emptied()

    async def _start_models(self) -> None:
        names = served_names(self._settings)
        for name in names:
            self.loading = True
            model = await in_daemon(partial(self._load, name))
            self.loading = False
            self._core.registry.add(model, self._settings.max_delay_ms / 1e3)
        self._core.admission.state = State.SERVING
        await self._set_health(serving=True)
        log.info("ready: %s", ", ".join(names))

    def _load(self, name: str) -> Model:
        """Loads a model and lets its engines answer once, on every device."""
        model = load_model(name, self._settings)
        for engines in (model.engines, *model.replicas):
            engine = next(iter(engines.values()))
            how = (engine.name, engine.precision, engine.device)
            log.info("%s runs on %s, %s, on %s: %s", name, *how, model.why)
            run(replace(model, engines=engines), np.zeros((480, 640, 3), np.uint8))
            if engine.device != "cpu":
                self._core.metrics.gpu_memory.labels(engine.device).set_function(
                    memory_in_use(engine.device, self._settings)
                )
        return model

    async def _start_rpc(self) -> grpc.aio.Server:
        server = create_server(self._core, self._health)
        port = bind(server, self._settings)
        await server.start()
        log.info("gRPC on %s:%d", self._settings.host, port)
        return server

    async def _set_health(self, *, serving: bool) -> None:
        status = _Status.SERVING if serving else _Status.NOT_SERVING
        for service in ("", SERVICE):
            await self._health.set(service, status)


def serve(settings: Settings) -> None:
    """Runs the service until it is told to stop."""
    app = App(settings)
    with one_thread():
        asyncio.run(app.run())
    if app.loading:  # told to stop meanwhile: what is half built is removed by the next process
        logging.shutdown()
        os._exit(0)
