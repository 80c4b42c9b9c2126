"""Real servers: `python -m service` as a subprocess on free ports of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from engines.weights import Store
from service.default import FETCHED
from tests.shared import ROOT

HOST = "127.0.0.1"
START_S = 60.0
STOP_S = 30.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Server:
    """A server under way."""

    http_port: int
    grpc_port: int
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def http(self) -> str:
        return f"http://{HOST}:{self.http_port}"

    @property
    def grpc(self) -> str:
        return f"{HOST}:{self.grpc_port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def says_ready(self) -> bool:
        """Whether its log does; `AssertionError` if the server has ended."""
        assert self.process.poll() is None, self.log
        return " ready: " in self.log

    def answers(self, path: str) -> bool:
        """Whether a GET is answered with 200; `AssertionError` if the server has ended."""
        assert self.process.poll() is None, self.log
        try:
            return httpx.get(f"{self.http}{path}").is_success
        except httpx.TransportError:
            return False

    def metric(self, sample: str) -> float:
        """The value of a sample at /metrics, written as there with its labels; 0 if absent."""
        lines = httpx.get(f"{self.http}/metrics").text.splitlines()
        values = (line.rpartition(" ") for line in lines)
        return next((float(value) for name, _, value in values if name == sample), 0.0)

    def stop(self, within: float = STOP_S) -> int:
        """Sends SIGTERM; the exit status, or `subprocess.TimeoutExpired`."""
        self.process.terminate()
        return self.process.wait(within)


@contextmanager
def server(
    environment: dict[str, str],
    log_file: Path,
    *,
    ready: str | None = "/readyz",
    module: str = "service",
) -> Iterator[Server]:
    """Starts a server, waits until it answers at `ready`, and stops it at the end.

    Without a path, it is waited for until its log says that it is ready.
    """
    http_port, grpc_port = free_port(), free_port()
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command(http_port, grpc_port, module),
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    started = Server(http_port, grpc_port, process, log_file)
    try:
        until(lambda: started.answers(ready) if ready else started.says_ready, START_S)
        yield started
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fails(
    environment: dict[str, str], http_port: int, grpc_port: int
) -> subprocess.CompletedProcess[str]:
    """Runs a server that cannot start, to its end."""
    return subprocess.run(
        command(http_port, grpc_port),
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )


def command(http_port: int, grpc_port: int, module: str = "service") -> list[str]:
    ports = ["--http-port", str(http_port), "--grpc-port", str(grpc_port)]
    return [sys.executable, "-m", module, *ports]


def environment(store: Store, **settings: str) -> dict[str, str]:
    """This process' environment with no settings but these, and the tests' own weights; the model
    is one of those, whatever the cache has already."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("POSEWIRE_")}
    chosen = {"cache": str(store.cache), "host": HOST, "models": FETCHED, **settings}
    if store.mirror:
        chosen["mirror"] = store.mirror
    return bare | {f"POSEWIRE_{name.upper()}": value for name, value in chosen.items()}


def until(condition: Callable[[], bool], seconds: float = STOP_S) -> None:
    """Asks again and again; `AssertionError` if the condition does not come to hold in time."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"waited {seconds:g} s in vain"
        time.sleep(_POLL_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
