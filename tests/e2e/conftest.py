"""What tests of a real server share: one that a module is `served`, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from engines.weights import Store
from tests.e2e.server import Server, environment, server


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With default settings."""
    log = tmp_path_factory.mktemp("server") / "log"
    with server(environment(store), log) as started:
        yield started
    assert "Traceback" not in started.log
    assert "Warning" not in started.log


@pytest.fixture(scope="module")
def http(served: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.http, timeout=30) as client:
        yield client
