"""The benchmark measures five things in one run; how fast they are is not tested here."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engines.model import Model
from engines.weights import Store
from service.bench.figures import Load
from service.bench.local import Engines, Pipeline
from service.bench.pictures import read_pictures
from service.cli import app
from tests.service.lights import BOXES, PICTURE, Eyes, detecting, seeing

FIGURES = ["engine", "pipeline", "http", "grpc", "grpc_stream"]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """An environment with the tests' own weights and no other setting."""
    for name in [name for name in os.environ if name.upper().startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("POSEWIRE_CACHE", str(store.cache))
    monkeypatch.setenv("POSEWIRE_MIRROR", str(store.mirror))


def test_a_short_run_gives_the_five_figures_though_callers_of_the_service_need_a_key(
    tmp_path: Path, astronaut: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSEWIRE_API_KEYS", "secret")
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(astronaut)
    options = ("--images", str(tmp_path), "--height", "64", "--concurrency", "2")
    result = CliRunner().invoke(app, ["bench", *options, "--seconds", "1", "--json"])
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert list(figures) == FIGURES
    for figure in figures.values():
        assert figure.keys() == {"ips", "p50_ms", "p99_ms"}
        assert figure["ips"] > 0
        assert 0 < figure["p50_ms"] <= figure["p99_ms"]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no pictures"):
        read_pictures(tmp_path)
    result = CliRunner().invoke(app, ["bench", "--images", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1


def test_a_broken_picture_is_named_and_nothing_is_measured(
    tmp_path: Path, astronaut: bytes
) -> None:
    (tmp_path / "broken.jpg").write_bytes(astronaut[:5000])
    result = CliRunner().invoke(app, ["bench", "--images", str(tmp_path), "--seconds", "1"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "broken.jpg" in result.stderr


def test_the_engine_is_measured_on_what_the_model_asks_of_it(
    model: Model, astronaut: bytes
) -> None:
    engines = Engines(model, None, {"astronaut.jpg": astronaut})
    ((asked,),) = engines.asked
    assert asked.inputs.shape == (1, 368, 368, 3)
    latencies, seconds = engines.load(0.01)
    assert len(latencies) >= 1
    assert sum(latencies) == pytest.approx(seconds)


def test_a_top_down_model_is_measured_with_its_detector(
    poses: Model, detector: Model, astronaut: bytes
) -> None:
    engines = Engines(poses, detector, {"astronaut.jpg": astronaut})
    (asked,) = engines.asked
    assert [(one.network, one.inputs.shape) for one in asked] == [
        ("yolox-nano", (1, 416, 416, 3)),
        ("pp-tinypose-256x192", (1, 256, 192, 3)),
    ]
    assert len(engines.load(0.01)[0]) >= 1


def test_the_pipeline_has_the_detector_find_people() -> None:
    eyes = Eyes(max_batch=len(BOXES))
    with closing(Pipeline(seeing(eyes), detecting(*BOXES))) as pipeline:
        latencies, _ = pipeline.load([PICTURE], 0.01, concurrency=1)
    assert eyes.batches == [len(BOXES)] * len(latencies)


def test_a_load_of_several_spells_is_one_figure() -> None:
    spells = Load()
    spells.add([0.010] * 98 + [0.020], 1.0)
    spells.add([0.030], 0.01)
    figure = spells.figure()
    assert figure["p50_ms"] == 10
    assert 20 <= figure["p99_ms"] <= 30
    assert 99 <= figure["ips"] <= 100


def test_a_load_that_finished_nothing_asks_for_more_time() -> None:
    spells = Load()
    spells.add([], 0.1)
    with pytest.raises(ValueError, match="--seconds"):
        spells.figure()
