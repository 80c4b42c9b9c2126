"""What the service logs, line by line."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

from service.telemetry.logs import Form, handler


@dataclass(frozen=True, slots=True)
class Logged:
    """What has been logged so far."""

    stream: StringIO

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def records(self) -> list[dict[str, Any]]:
        """Of a log of JSON."""
        return [json.loads(line) for line in self.lines]

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Those that tell of a request."""
        return [record for record in self.records if record["logger"] == "posewire.requests"]


@contextmanager
def logged(form: Form = "json", level: int = logging.INFO) -> Iterator[Logged]:
    """Writes down what Posewire logs meanwhile."""
    stream, logger = StringIO(), logging.getLogger("posewire")
    writer, before = handler(form, stream), logger.level
    logger.addHandler(writer)
    logger.setLevel(level)
    try:
        yield Logged(stream)
    finally:
        logger.removeHandler(writer)
        logger.setLevel(before)
