"""What was measured of networks, as figures and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engines.sizes import written
from service.bench.cases import Case
from service.bench.report import Table
from service.bench.work import Error, Work


@dataclass(frozen=True, slots=True)
class Row:
    """An engine on a case.

    Attributes:
        engine, precision: what ran the network.
        seconds: an image.
        times: how many times as fast as PyTorch in float32.
        error: from PyTorch's answers.
        rate: operations of the network a second, in 1e9.
        limit: the most that the machine reached in that precision; None where unknown.
        busy: the share of the time in which the GPU computed; None on a processor.
    """

    engine: str
    precision: str
    seconds: float
    times: float
    error: Error
    rate: float
    limit: float | None
    busy: float | None

    @property
    def share(self) -> float | None:
        """Of the limit."""
        return self.rate / self.limit if self.limit else None


@dataclass(frozen=True, slots=True)
class Measured:
    """A case on every engine, PyTorch first.

    Attributes:
        made_up: whether the weights are PyTorch's own initialisation.
    """

    case: Case
    work: Work
    made_up: bool
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        return self.case.entry.name + (" (made-up weights)" if self.made_up else "")

    def to_json(self) -> list[dict[str, Any]]:
        """A plain object for each engine."""
        case, work = self.case, self.work
        of_case = {"model": case.entry.name, "made_up_weights": self.made_up}
        of_case |= {"batch": case.batch, "size": written(case.size)}
        of_work = {"gflop": work.gflop, "layers": work.layers, "intensity": work.intensity}
        return [
            {
                **of_case,
                "engine": row.engine,
                "precision": row.precision,
                "ms": row.seconds * 1e3,
                "ips": 1 / row.seconds,
                "times_pytorch": row.times,
                "largest_error": row.error.largest,
                "mean_error": row.error.mean,
                **of_work,
                "gflops": row.rate,
                "limit_gflops": row.limit,
                "share_of_limit": row.share,
                "busy": row.busy,
            }
            for row in self.rows
        ]


def engines_table(measured: Sequence[Measured]) -> Table:
    """A line for each engine of each case."""
    header = ["model", "engine", "precision", "batch", "size", "ms an image", "images/s"]
    header += ["times PyTorch", "largest error", "mean error", "GFLOP an image", "GFLOP/s"]
    header += ["limit", "share of it"]
    on_gpu = any(row.busy is not None for one in measured for row in one.rows)
    lines = [
        [
            one.name,
            row.engine,
            row.precision,
            str(one.case.batch),
            written(one.case.size),
            three_digits(row.seconds * 1e3),
            three_digits(1 / row.seconds),
            f"{row.times:.2f}",
            f"{row.error.largest:.1e}",
            f"{row.error.mean:.1e}",
            f"{one.work.gflop:.1f}",
            f"{row.rate:.0f}",
            _or_none(row.limit, ".0f"),
            _or_none(row.share, ".0%"),
            *([_or_none(row.busy, ".0%")] if on_gpu else []),
        ]
        for one in measured
        for row in one.rows
    ]
    return Table([*header, "busy"] if on_gpu else header, lines)


def works_table(measured: Sequence[Measured]) -> Table:
    """A line for each case, on what keeps it from the limit."""
    header = ["model", "GFLOP an image", "layers", "GFLOP a layer", "operations a value"]
    lines = [
        [
            one.name,
            f"{one.work.gflop:.1f}",
            str(one.work.layers),
            f"{one.work.gflop * one.case.batch / one.work.layers:.2f}",
            f"{one.work.intensity:.0f}",
        ]
        for one in measured
    ]
    return Table(header, lines)


def three_digits(value: float) -> str:
    """Of a value above 0; whole from 100 on."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _or_none(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
