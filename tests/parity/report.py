"""The checks of a fixtures folder: what it holds, who checks it, and the lines about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """What a check measured, in words, and whether it is good enough."""

    passed: bool
    text: str


class Skipped(Exception):  # noqa: N818 - not an error
    """A check cannot be made here; says why."""


Check = Callable[[Path], Figure]
"""Checks one name of a fixtures folder, its argument; raises `Skipped` where it cannot."""


@dataclass(frozen=True, slots=True)
class Line:
    status: Literal["ok", "FAIL", "skip"]
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.status} {self.name}: {self.text}"


def run(folder: Path, names: Iterable[str], checks: Mapping[str, Check]) -> Iterator[Line]:
    """Each name's line, in order, as its check ends."""
    for name in names:
        check = checks.get(name)
        yield Line("skip", name, "not implemented") if check is None else _line(folder, name, check)


def summary(lines: Iterable[Line]) -> str:
    """The last line: `N passed, N failed`, and how many were skipped."""
    statuses = [line.status for line in lines]
    passed, failed, skipped = (statuses.count(s) for s in ("ok", "FAIL", "skip"))
    return f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else "")


def _line(folder: Path, name: str, check: Check) -> Line:
    try:
        figure = check(folder)
    except Skipped as reason:
        return Line("skip", name, str(reason))
    except Exception as error:  # of a damaged fixture or of ours; the other checks go on
        return Line("FAIL", name, " ".join(f"{type(error).__name__}: {error}".split()))
    return Line("ok" if figure.passed else "FAIL", name, figure.text)
