"""What the tests of commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

Posewire = Callable[..., Result]


def assert_one_line(result: Result, status: int, *parts: str | Path) -> None:
    """What a user can mend is one line on standard error, and nothing on standard output."""
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("posewire: ")
    for part in parts:
        assert str(part) in line
