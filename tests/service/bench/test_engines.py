"""`posewire bench --engines` measures a network beside PyTorch; how fast is not tested here."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from service.cli import app
from tests.service.command import assert_one_line

pytest.importorskip("torch", reason="engines are measured beside PyTorch, which is not installed")

import numpy as np
import torch

from engines.catalog import find
from service.bench.limits import of_processor
from service.bench.reference import Eager, error_of, work_of

COLUMNS = "engine precision batch size ms ips times_pytorch largest_error mean_error gflop"
COLUMNS += " gflops limit_gflops share_of_limit busy"


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """Figures and reports of a short run."""
    folder, cache = tmp_path_factory.mktemp("report"), tmp_path_factory.mktemp("cache")
    options = ["--model", "lightweight-openpose", "--size", "64x64", "--precisions", "fp32"]
    with pytest.MonkeyPatch.context() as patch:
        _bare(patch, cache)
        options += ["--seconds", "1", "--report", str(folder), "--json"]
        result = CliRunner().invoke(app, ["bench", "--engines", *options])
    assert result.exit_code == 0, result.output
    assert not list(cache.iterdir())  # made-up weights are not kept
    return json.loads(result.stdout), folder


def _bare(patch: pytest.MonkeyPatch, cache: Path) -> None:
    """No weights, no settings, and no GPU."""
    for name in [name for name in os.environ if name.upper().startswith("POSEWIRE_")]:
        patch.delenv(name)
    patch.setenv("POSEWIRE_CACHE", str(cache))
    patch.setenv("POSEWIRE_ENGINE", "openvino")


def test_an_engine_is_measured_beside_pytorch(
    measured: tuple[list[dict[str, Any]], Path],
) -> None:
    rows, _ = measured
    assert [(row["engine"], row["precision"]) for row in rows] == [
        ("PyTorch eager", "fp32"),
        ("openvino", "fp32"),
    ]
    for row in rows:
        assert set(COLUMNS.split()) <= row.keys()
        assert row["made_up_weights"]
        assert (row["batch"], row["size"]) == (1, "64x64")
        assert row["ms"] * row["ips"] == pytest.approx(1000)
        assert row["gflops"] == pytest.approx(row["gflop"] * row["ips"])
        assert row["share_of_limit"] == pytest.approx(row["gflops"] / row["limit_gflops"])
    assert rows[0]["times_pytorch"] == 1
    assert rows[1]["times_pytorch"] == pytest.approx(rows[1]["ips"] / rows[0]["ips"])
    assert 0 < rows[1]["largest_error"] < 1e-3  # another engine, but the same network


def test_a_report_says_how_it_was_made(measured: tuple[list[dict[str, Any]], Path]) -> None:
    _, folder = measured
    text = (folder / "engines.md").read_text("utf-8")
    assert "`posewire bench --model lightweight-openpose --seconds 1 --engines" in text
    assert str(folder) not in text
    for part in ("cores", "python", "torch", "openvino", "made-up weights"):
        assert part in text
    header, rule, *lines = text[text.index("| model") :].partition("\n\n")[0].splitlines()
    assert [line.split(" | ")[1] for line in lines] == ["PyTorch eager", "openvino"]
    for line in (rule, *lines):
        assert len(line.split("|")) == len(header.split("|"))


def test_a_plot_is_an_xml_file(measured: tuple[list[dict[str, Any]], Path]) -> None:
    _, folder = measured
    picture = ElementTree.parse(folder / "engines.svg").getroot()  # noqa: S314 - our own
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(picture.findall("{http://www.w3.org/2000/svg}rect")) == 2


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--engines", "--model", "yolox-nano"], ["yolox-nano", "PyTorch"]),
        (["--engines", "--precisions", "fp64"], ["fp64", "bf16"]),
        (["--engines", "--height", "64"], ["--height", "with --engines"]),
        (["--batch", "2"], ["--batch", "without --engines"]),
        ([], ["--images"]),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_line(
    options: list[str], parts: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _bare(monkeypatch, tmp_path)
    assert_one_line(CliRunner().invoke(app, ["bench", *options]), 2, *parts)


def test_the_work_of_a_network_is_counted() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, padding=1, bias=False))
    about = find("lightweight-openpose").networks["network"]
    eager = Eager(torch.nn.Sequential(network, _Twice()), about, "cpu")
    work = work_of(network, eager, np.zeros((2, 8, 8, 3), np.uint8))
    values = 2 * 8 * 8 * (3 + 16) + 9 * 3 * 16
    flop = 2 * 8 * 8 * 9 * 3 * 16
    assert (work.gflop, work.layers) == (flop / 1e9, 1)
    assert work.intensity == pytest.approx(2 * flop / values)


class _Twice(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


def test_an_error_is_a_share_of_the_largest_value_of_its_output() -> None:
    expected = {"a": np.array([1, -4], np.float32), "b": np.array([10, 0], np.float32)}
    given = {"a": np.array([1, -3], np.float32), "b": np.array([10, 1], np.float32)}
    error = error_of(given, expected)
    assert (error.largest, error.mean) == (0.25, 0.125)


def test_a_limit_is_measured_in_each_precision(tmp_path: Path) -> None:
    probes = of_processor(["fp32", "int8"], 1, tmp_path)
    kinds = [(probe.precision, probe.name) for probe in probes]
    assert kinds == [(p, n) for p in ("fp32", "int8") for n in ("convolution", "product")]
    assert all(probe.gflop / probe.spell(0) > 0 for probe in probes)
