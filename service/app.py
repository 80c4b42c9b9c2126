"""Wires models, queues and both servers on one event loop; start, drain, stop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import grpc
import numpy as np
import uvicorn
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_reflection.v1alpha import reflection

from engines.model import Model, run
from service.admission import Admission, State
from service.estimator import Estimator
from service.images import ImageLimits
from service.loading import load_model, memory_in_use, served_names
from service.metrics import Metrics
from service.pb import pose_pb2, pose_pb2_grpc
from service.rest import create_app
from service.rpc import PoseService
from service.settings import Settings
from service.sockets import listen
from service.threads import in_daemon, one_thread

log = logging.getLogger("posewire")

_SERVICE = pose_pb2.DESCRIPTOR.services_by_name["PoseService"].full_name
_LAST_WORDS_S = 2  # to write the last answers, once all images are done
_Status = health_pb2.HealthCheckResponse.ServingStatus


class _HttpServer(uvicorn.Server):
    """uvicorn in a loop that is not its own: signals are ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class App:
    """The whole service.

    Args:
        settings: every one of them; the weights of its models must be in the cache or
            within reach.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._admission = Admission(settings.max_images)
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="pose")
        limits = ImageLimits(settings.max_bytes, settings.max_pixels)
        self._estimator = Estimator(
            limits, self._admission, self._metrics, self._pool, settings.detector
        )
        self._metrics.inflight.set_function(lambda: self._admission.inside)
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
        http = self._http_server()
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
            self._estimator.close()
            self._pool.shutdown()
        log.info("stopped")

    async def _drain(self) -> None:
        """Refuses new work and lets what was accepted finish, within the grace time.

        The servers' own graceful stops would wait for callers who keep an idle stream open.
        """
        log.info("draining: %d images in the system", self._admission.inside)
        self._admission.state = State.DRAINING
        await self._set_health(serving=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.grace):
                await self._admission.emptied()

    async def _start_models(self) -> None:
        names = served_names(self._settings)
        for name in names:
            self.loading = True
            model = await in_daemon(partial(self._load, name))
            self.loading = False
            self._estimator.add(model, self._settings.max_delay_ms / 1e3)
        self._admission.state = State.SERVING
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
                self._metrics.gpu_memory.labels(engine.device).set_function(
                    memory_in_use(engine.device, self._settings)
                )
        return model

    async def _start_rpc(self) -> grpc.aio.Server:
        settings = self._settings
        server = grpc.aio.server(
            options=(
                # Above an image's limit, so that a frame too large fails alone and says why.
                ("grpc.max_receive_message_length", settings.max_request_bytes),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a share
            )
        )
        servicer = PoseService(self._estimator, self._metrics, settings)
        pose_pb2_grpc.add_PoseServiceServicer_to_server(servicer, server)  # type: ignore[no-untyped-call] # generated
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (_SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
        reflection.enable_server_reflection((*names, reflection.SERVICE_NAME), server)
        # gRPC would log a port that is taken in its own words.
        listen(settings.host, settings.grpc_port, "grpc").close()
        host = f"[{settings.host}]" if ":" in settings.host else settings.host  # IPv6
        port = server.add_insecure_port(f"{host}:{settings.grpc_port}")
        await server.start()
        log.info("gRPC on %s:%d", settings.host, port)
        return server

    def _http_server(self) -> _HttpServer:
        settings = self._settings
        app = create_app(self._estimator, self._admission, self._metrics, settings)
        return _HttpServer(
            uvicorn.Config(
                app,
                loop="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                log_level="warning",
                timeout_graceful_shutdown=_LAST_WORDS_S,
            )
        )

    async def _set_health(self, *, serving: bool) -> None:
        status = _Status.SERVING if serving else _Status.NOT_SERVING
        for service in ("", _SERVICE):
            await self._health.set(service, status)


def serve(settings: Settings) -> None:
    """Runs the service until it is told to stop."""
    app = App(settings)
    with one_thread():
        asyncio.run(app.run())
    if app.loading:  # told to stop meanwhile: what is half built is removed by the next process
        logging.shutdown()
        os._exit(0)
