"""A Docker engine: the one that runs, or one that is started for the tests alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docker.programs import program
from tests.e2e.server import until

_START_S, _STOP_S = 60.0, 30.0


@dataclass(frozen=True, slots=True)
class Engine:
    """A Docker engine.

    Attributes:
        environment: with which Docker's programs find it.
    """

    environment: Mapping[str, str]

    def docker(self, *arguments: str) -> str:
        """What `docker` says; AssertionError, with all it said, if it fails."""
        command = ["docker", *arguments]
        done = subprocess.run(
            command, env=dict(self.environment), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def has(self, *arguments: str) -> bool:
        """Whether `docker` succeeds."""
        try:
            self.docker(*arguments)
        except AssertionError:
            return False
        return True


@contextmanager
def docker_engine() -> Iterator[Engine]:
    """Skips where there is none and none can be started."""
    program("docker", "docker.io")
    running = Engine(os.environ)
    if running.has("info"):
        yield running
        return
    program("dockerd", "docker.io")
    program("iptables", "iptables")
    if os.geteuid() != 0:
        pytest.skip("needs a Docker engine: none runs, and only root may start dockerd")
    folder = Path(tempfile.mkdtemp(prefix="docker-"))  # short, as it holds sockets
    try:
        with _started(folder) as engine:
            yield engine
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(folder: Path) -> Iterator[Engine]:
    socket, log_file = f"unix://{folder}/docker.sock", folder / "log"
    paths = {"data-root": "data", "exec-root": "exec", "pidfile": "pid"}
    flags = [f"--{flag}={folder / name}" for flag, name in paths.items()]
    engine = Engine(os.environ | {"DOCKER_HOST": socket})
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            ["dockerd", f"--host={socket}", *flags],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: process.poll() is not None or engine.has("info"), _START_S)
        if process.poll() is not None:
            *_, last = log_file.read_text().splitlines() or ["it said nothing"]
            pytest.skip(f"needs a Docker engine: dockerd cannot be started here: {last}")
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
