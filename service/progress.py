"""Progress bars of the command, on standard error and gone when done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from engines import weights


@contextmanager
def downloads(name: str) -> Iterator[weights.Progress]:
    """A bar for each file of model `name` that is fetched."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def show(file: str, done: int, total: int) -> None:
        if file not in tasks:
            tasks[file] = bars.add_task(f"{name}: {file}", total=total)
        bars.update(tasks[file], completed=done)

    with bars:
        yield show
