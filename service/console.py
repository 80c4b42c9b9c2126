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
from engines.plan import PlanError
from engines.runtime.auto import EngineError

T = TypeVar("T")

WRONG_USE, MISSING_WEIGHTS, NO_ENGINE, ENGINE_DIED = 2, 3, 4, 5  # exit statuses
_EXTRAS = {
    **dict.fromkeys(("nncf", "onnx", "onnxruntime"), "int8"),
    **dict.fromkeys(("tensorrt", "pynvml"), "gpu"),
    "opentelemetry": "otel",
    "ray": "ray",
}


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
        for line in _settings_refused(error):
            say(line)
        raise typer.Exit(WRONG_USE) from error
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0], "torch")
        say(f"{error.name} is not installed; run: pip install 'posewire[{extra}]'")
        raise typer.Exit(WRONG_USE) from error
    except (UnprovenError, EngineError, PlanError, MemoryError) as error:
        say(str(error))
        raise typer.Exit(NO_ENGINE) from error
    except OSError as error:
        said = error.strerror or str(error)
        say(f"{error.filename}: {said}" if error.filename else said)
        raise typer.Exit(WRONG_USE) from error
    except (UnknownModelError, SettingsError, ValueError) as error:
        say(str(error))
        raise typer.Exit(WRONG_USE) from error


def _settings_refused(error: ValidationError) -> Iterator[str]:
    """A line for each wrong setting, with all that it may be in place of what it is."""
    problems: dict[str, list[str]] = {}
    for problem in error.errors():
        name = f"POSEWIRE_{str(problem['loc'][0]).upper()}"
        own = problem.get("ctx", {}).get("error")  # of a validator, which names the value itself
        told = str(own) if own else f"{problem['msg']}, not {problem['input']!r}"
        problems.setdefault(name, []).append(told)
    for name, all_told in problems.items():
        yield f"{name}: {'; '.join(all_told)}"


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
