"""What `posewire bench` does with its options and figures."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from service.bench.cases import cases
from service.bench.offered import this_machine
from service.bench.report import Report
from service.bench.reports import of_engines, of_serving
from service.bench.run import run
from service.console import downloads, say
from service.loading import ensure_served, store
from service.settings import Settings

# Options that only one of the two kinds of measurement heeds.
_OF_SERVING = frozenset({"height", "detector", "flip", "scales", "dark", "concurrency"})
_OF_ENGINES = frozenset({"precisions", "size", "batch"})


@dataclass(frozen=True, slots=True)
class Asked:
    """How engines are to be measured, as it was typed."""

    seconds: float
    images: Path | None
    precisions: str | None
    size: str | None
    batch: str | None


def bench_serving(
    settings: Settings, images: Path, seconds: float, concurrency: int
) -> tuple[Any, Report]:
    """Figures and report of a model and all that is around it; see `service.bench.run`."""
    with downloads() as progress:
        ensure_served(settings, progress)
    figures = run(settings, images, seconds, concurrency, say)
    return figures, of_serving(settings.models[0], figures)


def bench_engines(settings: Settings, asked: Asked) -> tuple[Any, Report]:
    """Figures and report of the networks of models; see `service.bench.engines`."""
    from service.bench.engines import Bench, measure  # noqa: PLC0415 - needs torch

    machine = this_machine(settings.engine_options, asked.precisions)
    measured = measure(
        list(cases(settings.models, asked.size, asked.batch)),
        store(settings),
        Bench(machine, asked.seconds, asked.images, say),
    )
    return [line for one in measured for line in one.to_json()], of_engines(measured)


def show(report: Report) -> None:
    """Its tables; a wide one rather runs over than has its columns cut."""
    for section in report.sections:
        header = section.table.header
        table = Table(*header)
        for line in section.table.lines:
            table.add_row(*line)
        Console(width=max(80, 14 * len(header))).print(table)


def refuse_others(context: typer.Context, *, engines: bool) -> None:
    """Refuses options of the other kind of measurement.

    Raises:
        ValueError: one was given; says which.
    """
    others, kind = (_OF_SERVING, "with") if engines else (_OF_ENGINES, "without")
    for name, flag, _ in _given(context):
        if name in others:
            raise ValueError(f"{flag} means nothing {kind} --engines: leave it out")


def as_typed(context: typer.Context) -> str:
    """The command, but for where its results go."""
    parts = ["posewire", "bench"]
    for name, flag, value in _given(context):
        if name not in {"report", "as_json"}:
            parts.append(flag)
            if value is not True:
                parts.append(f"{value:g}" if isinstance(value, float) else str(value))
    return shlex.join(parts)


def _given(context: typer.Context) -> Iterator[tuple[str, str, Any]]:
    """Name, flag and value of each option of the command line."""
    for option in context.command.params:
        name = option.name or ""
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            yield name, option.opts[0], context.params[name]
