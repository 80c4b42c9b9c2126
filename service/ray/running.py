"""The service on a Ray cluster, from start to end."""

from __future__ import annotations

import logging
import signal
import sys
import threading

import ray
from ray import serve

from service.console import downloads
from service.loading import ensure_served
from service.ray.application import (
    Cluster,
    RaySettings,
    application,
    check,
    grpc_options,
    http_options,
)
from service.ray.proxy import APPLICATION
from service.telemetry import logs

log = logging.getLogger("posewire")

_HOOK = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "service.ray.proxy.middlewares"}


def run(flags: list[str]) -> None:
    """Serves until SIGTERM or SIGINT, and then finishes what was accepted."""
    settings = RaySettings.from_flags(flags)
    check(settings)
    logs.configure(settings.log_format, settings.log_level, sys.stderr)
    with downloads() as progress:
        ensure_served(settings, progress)
    ray.init(runtime_env={"env_vars": _HOOK}, include_dashboard=False)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve.start(http_options=http_options(settings), grpc_options=grpc_options(settings))
        serve.run(application(settings, Cluster.connected()), name=APPLICATION)
        ports = (settings.http_port, settings.grpc_port)
        log.info("HTTP on port %d, gRPC on port %d, of every address", *ports)
        threading.Event().wait()
    except KeyboardInterrupt:
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, signal.SIG_IGN)  # once is enough
        serve.delete(APPLICATION)
    finally:
        ray.shutdown()
