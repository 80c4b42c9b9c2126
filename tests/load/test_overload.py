"""Beyond its capacity the service refuses at once, and goes on with what it has accepted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engines.weights import Store
from tests.e2e.server import Server, environment, server
from tests.load.capacity import Offers
from tests.load.loads import HALF, MOST, Load, Overload
from tests.load.overload import measure
from tests.load.overload_report import plotted, table, written
from tests.load.replies import Record, Reply
from tests.load.watch import Sample, Watch

_SECONDS = 3.0
# Of full runs on a quiet machine 3 and 0.9 are promised; this run is short, and perhaps not alone.
_TIMES, _PEAK = 10.0, 0.4
_MEMORY = 64 * 2**20


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("overload") / "log"
    with server(environment(store), log) as started:
        yield started


async def test_an_open_loop_at_ten_times_capacity_gets_only_people_and_refusals(
    served: Server,
) -> None:
    measured = await measure(Offers(served), _SECONDS, (HALF, MOST))
    half, most = measured.loads[HALF], measured.loads[MOST]
    assert not half.strange()
    assert not most.strange()
    assert {record.protocol for record in most.records if record.reply.ok} == {"http", "grpc"}
    assert {record.protocol for record in most.records if record.reply.refused} == {"http", "grpc"}
    memory = [sample.memory for sample in measured.watch.samples]
    assert max(memory) - min(memory) < _MEMORY
    assert not Overload(measured.capacity, measured.loads, flat()).broken(_TIMES, _PEAK)


def test_what_is_neither_people_nor_a_refusal_that_says_when_to_come_back_is_told() -> None:
    measured = of_loads(most=[Reply("429", "overloaded"), Reply("500", "internal")])
    (line,) = measured.broken()
    assert "429 overloaded" in line
    assert "500 internal" in line


def test_latency_above_three_times_that_at_half_the_capacity_is_told() -> None:
    assert not of_loads(most_ms=299).broken()
    (line,) = of_loads(most_ms=301).broken()
    assert "301 ms" in line


def test_accepting_less_than_nine_tenths_of_the_peak_is_told() -> None:
    assert not of_loads(most=[Reply("200")] * 90).broken()
    (line,) = of_loads(most=[Reply("200")] * 89).broken()
    assert "8.9 images/s" in line


def test_memory_that_grows_is_told() -> None:
    growing = Watch(0, [Sample(2**20 * (100 + n), 10, 10) for n in range(30)])
    (line,) = Overload(20.0, of_loads().loads, growing).broken()
    assert "memory" in line


def test_the_report_has_a_line_for_each_load_and_a_plot() -> None:
    measured = of_loads()
    assert [line[0] for line in table(measured).lines] == ["0.5", "10"]
    assert "20.0 images/s" in written(measured, 60)
    assert plotted(measured).count("<polyline") == 2


def of_loads(most: list[Reply] | None = None, most_ms: float = 100) -> Overload:
    """Half the capacity with 100 people in 10 s, and the most with these replies beside."""
    people = [Reply("200")] * 100
    replies = most if most and most[0].ok else people + (most or [])
    loads = {HALF: load(HALF, people, 100), MOST: load(MOST, replies, most_ms)}
    return Overload(20.0, loads, flat())


def load(share: float, replies: list[Reply], ms: float) -> Load:
    made = Load(share, 10 * share)
    made.add([Record("http", 0.0, 0.0, ms / 1e3, reply) for reply in replies], 10.0)
    return made


def flat() -> Watch:
    return Watch(0, [Sample(2**27, 10, 10)] * 9)
