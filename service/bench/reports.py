"""The reports of `posewire bench`: of engines, and of what is around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engines.sizes import written
from service.bench.bars import Bar, Group
from service.bench.report import Report, Section, Table
from service.bench.results import Measured, engines_table, three_digits, works_table

_ENGINES = """\
Networks alone, on pictures that are there already. All of a model took turns in one run; figures
are medians. Errors are the largest and the mean difference from PyTorch's answers, as shares of
the largest value. The limit is the most of GFLOP/s that the machine reached in that precision
in the same run, {limit}."""
_OF_PROCESSOR = "with 3x3 convolutions of 256 channels or products of matrices on the same engine"
_OF_GPU = (
    "with products of 8192x8192 matrices in PyTorch: in float32 for that, in bfloat16 for all else"
)
_WORKS = """\
What keeps a network from the limit: layers (convolutions and products) too small to fill the
machine, or few operations for each value that they read or write, so that memory is what they
wait for. The convolution of the limit does 2100 operations a value."""
_SERVING = """\
The engine alone on inputs that are prepared, and what is left of its speed in process, from
encoded bytes to people, and over each protocol from another process on the same cores."""


def of_engines(measured: Sequence[Measured]) -> Report:
    """Tables of every engine and of every network; bars of how many times as fast as PyTorch."""
    on_gpu = any(row.busy is not None for one in measured for row in one.rows)
    limits = _ENGINES.format(limit=_OF_GPU if on_gpu else _OF_PROCESSOR)
    sections = (
        Section(limits, engines_table(measured)),
        Section(_WORKS, works_table(measured)),
    )
    axis = "times as fast as PyTorch eager in float32; images a second"
    return Report("engines", "Engines", axis, sections, [_group(one) for one in measured])


def _group(one: Measured) -> Group:
    title = f"{one.name}, {written(one.case.size)}, batch {one.case.batch}"
    bars = [
        Bar(
            f"{row.engine} {row.precision}",
            row.times,
            f"{row.times:.2f} times, {three_digits(1 / row.seconds)}/s",
        )
        for row in one.rows
    ]
    return Group(title, bars)


def of_serving(name: str, figures: Mapping[str, Mapping[str, float]]) -> Report:
    """A table and bars of the figures of `service.bench.run`."""
    alone = figures["engine"]["ips"]
    lines, bars = [], []
    for what, figure in figures.items():
        share, ips = f"{figure['ips'] / alone:.2f}", f"{figure['ips']:.1f}"
        lines.append([what, ips, share, str(figure["p50_ms"]), str(figure["p99_ms"])])
        bars.append(Bar(what, figure["ips"], f"{ips}   {share}"))
    table = Table([name, "images/s", "of the engine", "p50 ms", "p99 ms"], lines)
    axis = "images a second; share of the engine alone"
    return Report("serving", "Serving", axis, [Section(_SERVING, table)], [Group(name, bars)])
