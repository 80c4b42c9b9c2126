"""docs/reliability.md, whose measured parts are written by the commands that measure."""

from __future__ import annotations

import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

from service.bench.machine import machine, versions

_NAME = "reliability.md"


def write(folder: Path, section: str, text: str) -> None:
    """Puts a text, below its command and machine, between the marks of a section.

    Raises:
        ValueError: there are no such marks.
    """
    path = folder / _NAME
    begin, end = f"<!-- {section} -->", f"<!-- end of {section} -->"
    found = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    whole = path.read_text("utf-8")
    if not found.search(whole):
        raise ValueError(f"{path} has no marks of {section}: write {begin} and {end} into it")
    parts = "\n\n".join(
        [begin, f"`{_command()}`, {_when()}", f"{machine()}; {_used()}.", text, end]
    )
    path.write_text(found.sub(lambda _: parts, whole), "utf-8")


def _command() -> str:
    module = sys.modules["__main__"].__spec__
    name = module.name if module else sys.argv[0]
    return shlex.join(["python", "-m", name, *sys.argv[1:]])


def _when() -> str:
    return f"{datetime.now(UTC):%d %B %Y}"


def _used() -> str:
    return ", ".join(f"{name} {version}" for name, version in versions().items())
