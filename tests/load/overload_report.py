"""Loads as a table and as a plot."""

from __future__ import annotations

import math

from service.bench.report import Table
from tests.load.loads import HALF, TIMES, Load, Overload
from training.plot import Curve, draw

_LOADS = """\
The capacity, {0.capacity:.1f} images/s, is the most that was accepted in four looks before; the
most that was accepted at any load below is {0.peak:.1f}. Each load was offered for {1:g} s.
Latency is of what was accepted, from the moment a request was due. Under the largest load the
server's {2} (medians of the second and the last third)."""


def table(measured: Overload) -> Table:
    """A line for each load."""
    header = ["of the capacity", "offered/s", "accepted/s", "refused", "p50 ms", "p99 ms"]
    header += ["refusal p50 ms", "p99 ms", "other answers", "generator late, p99 ms"]
    return Table(header, [_line(load) for load in measured.loads.values()])


def written(measured: Overload, seconds: float) -> str:
    """The section of the report."""
    said = _LOADS.format(measured, seconds, measured.watch.summary())
    kept = "\n".join(f"- **Broken**: {line}." for line in measured.broken())
    plot = "![latency against offered load](plots/reliability.svg)"
    return "\n\n".join(part for part in (said, table(measured).markdown(), kept, plot) if part)


def plotted(measured: Overload) -> str:
    """Latency against the offered load, as SVG."""
    loads = list(measured.loads.values())
    curves = [
        Curve(
            f"p{percent}", [(load.share, load.latency(percent)) for load in loads if load.in_time]
        )
        for percent in (99, 50)
    ]
    bound = TIMES * measured.loads[HALF].latency(99)
    return draw(
        "Latency of what is accepted, ms",
        f"offered load, in times the capacity of {measured.capacity:.1f} images/s",
        curves,
        bound=(bound, f"{TIMES:g} times p99 at half the capacity"),
    )


def _line(load: Load) -> list[str]:
    replies = len(load.records)
    refused = sum(one.reply.refused for one in load.records)
    return [
        f"{load.share:g}",
        f"{replies / load.seconds:.1f}",
        f"{load.accepted:.1f}",
        f"{refused / replies:.0%}" if replies else "",
        f"{load.latency(50):.0f}",
        f"{load.latency(99):.0f}",
        _ms(load.refusal(50)),
        _ms(load.refusal(99)),
        str(sum(load.strange().values())),
        _ms(load.late()),
    ]


def _ms(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1f}"  # of nothing
