"""An instance of the service and both of its servers on one event loop; start, drain, stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from engines.runtime.processor import container_cores
from service.access.tls import Tls
from service.console import ENGINE_DIED
from service.http.protocol import ConnectionLimits
from service.http.rest import create_app
from service.http.server import HttpServer
from service.instance import LAST_WORDS_S, Instance
from service.rpc.server import SERVICES, bind, create_server
from service.settings import Settings
from service.sockets import listen
from service.threads import one_thread

log = logging.getLogger("posewire")

_Status = health_pb2.HealthCheckResponse.ServingStatus


class App:
    """The whole service.

    Args:
        settings: every one of them; the weights of its models must be in the cache or
            within reach.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._instance = Instance(
            settings, container_cores() or os.cpu_count() or 1, self._tell_health
        )
        self._core = self._instance.core
        self._tls = Tls.of(settings)
        self._health = health_aio.HealthServicer()
        self._stop = asyncio.Event()

    @property
    def hangs(self) -> bool:
        """Whether a thread is left that the interpreter would wait for, or end badly with."""
        return self._instance.hangs

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
        http = HttpServer(create_app(self._core), LAST_WORDS_S, limits, tls)
        serving = asyncio.create_task(http.serve([listening]))
        stopping = asyncio.create_task(self._stop.wait())
        failing = asyncio.create_task(self._instance.failed.wait())
        starting = asyncio.create_task(self._instance.start())
        ends = {stopping, serving, failing}
        try:
            await asyncio.wait({starting, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (starting, stopping, failing):
                task.cancel()
            await self._instance.drain()
            await self._instance.stop()
            http.should_exit = True
            await asyncio.gather(rpc.stop(LAST_WORDS_S), serving)
            await self._instance.close()
        log.info("stopped")
        return ENGINE_DIED if self._instance.failed.is_set() else 0

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
