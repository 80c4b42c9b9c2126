"""Starts the service that is loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from service.loading import store
from service.settings import Settings
from tests.e2e.server import Server, environment, server


def settings_of(typed: Sequence[str]) -> dict[str, str]:
    """Settings as they are typed, such as `height=736`."""
    return dict(setting.split("=", 1) for setting in typed)


@contextmanager
def started(settings: Mapping[str, str], module: str = "service") -> Iterator[Server]:
    """A server with the weights of this environment and no other setting than these."""
    with tempfile.TemporaryDirectory() as folder:
        bare = environment(store(Settings()), **settings)
        with server(bare, Path(folder) / "log", module=module) as running:
            yield running
