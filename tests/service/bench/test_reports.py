"""Reports of both kinds of measurement."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from engines.catalog import find
from service.bench.cases import Case
from service.bench.reports import of_engines, of_serving
from service.bench.results import Measured, Row
from service.bench.work import Error, Work

FIGURES = {
    "engine": {"ips": 40.0, "p50_ms": 25.0, "p99_ms": 30.0},
    "http": {"ips": 36.0, "p50_ms": 200.0, "p99_ms": 300.0},
}


def _row(precision: str, seconds: float, busy: float | None = None) -> Row:
    return Row("engine", precision, seconds, 1 / seconds, Error(0.01, 0.001), 400, 800, busy)


def _measured(*rows: Row, made_up: bool = False) -> Measured:
    case = Case(find("hrnet-w32-256x192"), (256, 192), 8)
    return Measured(case, Work(15.3, 293, 1000), made_up, rows)


def test_serving_is_shown_as_shares_of_the_engine(tmp_path: Path) -> None:
    written = of_serving("yolox-nano", FIGURES).write(tmp_path / "new", "posewire bench")
    assert [path.name for path in written] == ["serving.md", "serving.svg"]
    assert "| http | 36.0 | 0.90 | 200.0 | 300.0 |" in written[0].read_text("utf-8")
    picture = ElementTree.parse(written[1]).getroot()  # noqa: S314 - our own
    assert len(picture.findall("{http://www.w3.org/2000/svg}rect")) == 2


def test_engines_are_shown_with_their_share_of_the_limit() -> None:
    (header, *_), (line,) = _engines(_measured(_row("bf16", 0.02)))
    assert header == "model"
    assert line[-2:] == ["800", "50%"]


def test_slow_networks_are_shown_in_whole_milliseconds() -> None:
    _, (line,) = _engines(_measured(_row("fp32", 1.2345)))
    assert line[5:7] == ["1234", "0.81"]


def test_how_busy_a_gpu_is_has_a_column_only_where_there_is_one() -> None:
    header, (line,) = _engines(_measured(_row("fp16", 0.02, busy=0.97)))
    assert (header[-1], line[-1]) == ("busy", "97%")
    assert "busy" not in _engines(_measured(_row("bf16", 0.02)))[0]


def test_made_up_weights_are_said_to_be_so() -> None:
    _, (line,) = _engines(_measured(_row("bf16", 0.02), made_up=True))
    assert line[0] == "hrnet-w32-256x192 (made-up weights)"


def test_how_small_the_layers_of_a_network_are_is_shown() -> None:
    _, work = of_engines([_measured(_row("bf16", 0.02))]).sections
    assert work.table.lines == [["hrnet-w32-256x192", "15.3", "293", "0.42", "1000"]]


def _engines(measured: Measured) -> tuple[list[str], list[list[str]]]:
    """Header and lines of the first table."""
    table = of_engines([measured]).sections[0].table
    return list(table.header), [list(line) for line in table.lines]
