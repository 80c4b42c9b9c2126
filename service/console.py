"""What the command says beside its results, on standard error: progress bars and errors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
)

from engines import weights
from engines.catalog import UnknownModelError
from engines.comparison import UnprovenError
from engines.runtime.auto import EngineError

T = TypeVar("T")

WRONG_USE, MISSING_WEIGHTS, NO_ENGINE = 2, 3, 4  # exit statuses
_EXTRAS = {"nncf": "int8", "onnxruntime": "int8", "tensorrt": "gpu", "pynvml": "gpu"}


@contextmanager
def downloads() -> Iterator[weights.Progress]:
    """A bar for each file that is fetched."""
    bars = _bars(TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    tasks: dict[str, TaskID] = {}

    def show(file: str, done: int, total: int) -> None:
        if file not in tasks:
            tasks[file] = bars.add_task(file, total=total)
        bars.update(tasks[file], completed=done)

    with bars:
        yield show


@contextmanager
def failing() -> Iterator[None]:
    """What a user can mend is one line on standard error and an exit status, not a traceback."""
    try:
        yield
    except weights.WeightsError as error:
        say(str(error))
        raise typer.Exit(MISSING_WEIGHTS) from error
    except ValidationError as error:
        for problem in error.errors():
            name = "POSEWIRE_" + "_".join(map(str, problem["loc"])).upper()
            say(f"{name}: {problem['msg']}, not {problem['input']!r}")
        raise typer.Exit(WRONG_USE) from error
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0], "torch")
        say(f"{error.name} is not installed; run: pip install 'posewire[{extra}]'")
        raise typer.Exit(WRONG_USE) from error
    except (UnprovenError, EngineError) as error:
        say(str(error))
        raise typer.Exit(NO_ENGINE) from error
    except (UnknownModelError, SettingsError, OSError, ValueError) as error:
        say(str(error))
        raise typer.Exit(WRONG_USE) from error


def say(text: str) -> None:
    print(f"posewire: {text}", file=sys.stderr, flush=True)


def tracked(items: Sequence[T], what: str) -> Iterator[T]:
    """The same items, with a progress bar where there is a terminal for it."""
    with _bars(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bars:
        yield from bars.track(items, description=what)


def _bars(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        # Results are printed above the bar on a terminal, but a file gets them as ever.
        redirect_stdout=sys.stdout.isatty(),
    )
