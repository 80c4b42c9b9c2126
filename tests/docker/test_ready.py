"""The images' health check, of a real service."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.weights import Store
from tests.e2e.server import Server, environment, free_port, server, until
from tests.service.certificates import Authority
from tests.shared import ROOT


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(environment(store, height="64"), tmp_path_factory.mktemp("ready") / "log") as one:
        yield one


def asked(port: int, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "docker" / "ready.py"],
        env={"POSEWIRE_HTTP_PORT": str(port), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_service_that_is_ready_is_healthy(served: Server) -> None:
    done = asked(served.http_port)
    assert (done.returncode, done.stderr) == (0, "")


def test_it_may_speak_tls(store: Store, tmp_path: Path) -> None:
    own = Authority(tmp_path).pair("service")
    tls = {"tls_certificate": str(own.certificate), "tls_key": str(own.key)}
    with server(environment(store, height="64", **tls), tmp_path / "log", ready=None) as one:
        done = asked(one.http_port, POSEWIRE_TLS_CERTIFICATE=tls["tls_certificate"])
        assert (done.returncode, done.stderr) == (0, "")


def test_one_that_is_not_there_is_not(served: Server) -> None:
    done = asked(free_port())
    assert done.returncode == 1
    assert "refused" in done.stderr


def test_one_that_is_not_ready_says_why(store: Store, tmp_path: Path) -> None:
    settings = environment(store, height="64", drain_delay="20")
    with server(settings, tmp_path / "log") as leaving:
        leaving.process.terminate()
        until(lambda: not leaving.answers("/readyz"), 10)
        done = asked(leaving.http_port)
        assert done.returncode == 1
        assert "503" in done.stderr
        leaving.process.kill()
