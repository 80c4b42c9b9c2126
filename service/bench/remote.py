"""Load on a real server: the server is one process, the callers another."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from service.bench.local import Spell
from service.settings import Settings

_START_S = 60.0
_HOST = "127.0.0.1"


class Server:
    """The service as a subprocess, on free ports of this machine."""

    def __init__(self, settings: Settings) -> None:
        self._http, self._grpc = _free_port(), _free_port()
        flags = ["--host", _HOST, "--http-port", str(self._http), "--grpc-port", str(self._grpc)]
        others = {name: value for name, value in os.environ.items() if not _is_setting(name)}
        environment = {**others, **settings.environment()}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", "service", *flags],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self) -> None:
        """Until it is ready; `RuntimeError` if it does not become so."""
        ends = time.monotonic() + _START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > ends:
                raise RuntimeError("the server does not start; see what `posewire serve` says")
            time.sleep(0.1)

    def load(self, protocol: str, images: Path, seconds: float, concurrency: int) -> Spell:
        port = self._http if protocol == "http" else self._grpc
        arguments = [protocol, f"{_HOST}:{port}", str(images), str(seconds), str(concurrency)]
        done = subprocess.run(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", "service.bench.client", *arguments],
            stdout=subprocess.PIPE,
            check=True,
        )
        latencies, took = json.loads(done.stdout)
        return latencies, took

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(_HOST, self._http, timeout=1)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def _is_setting(name: str) -> bool:
    return name.upper().startswith("POSEWIRE_")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
