"""Engines of Lightweight OpenPose on OpenVINO: int8, which is built, and bfloat16, which is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines import comparison, loading, sidecar
from engines.build import find_or_build, open_proven
from engines.building.maker import Order
from engines.building.openvino import OpenVinoMaker
from engines.catalog import Entry, Network, find
from engines.comparison import Tolerance, UnprovenError
from engines.loading import build, load
from engines.machine import Machine
from engines.options import Options
from engines.precision import Precision
from engines.runtime.auto import Choice, EngineError
from engines.runtime.openvino import has_bfloat16
from engines.runtime.options import EngineOptions
from engines.weights import Store
from tests.engines.exported import exported

pytest.importorskip("nncf", reason="int8 needs NNCF, which is not installed")

NAME = "lightweight-openpose"
SMALL = Options(height=64)
INT8 = EngineOptions(precision="int8")


@dataclass
class Site:
    """A cache of the test's own, and what was said while engines were built in it."""

    store: Store
    said: list[str] = field(default_factory=list)

    def order(self, precision: Precision) -> Order:
        wanted = EngineOptions(precision=precision)
        return Order(find(NAME), self.store, SMALL, wanted, precision, self.said.append)

    @property
    def engines(self) -> list[Path]:
        folder = self.store.engines(find(NAME))
        return [path for path in folder.iterdir() if path.is_dir()] if folder.exists() else []

    def quantised(self) -> int:
        """How many times, since it was last asked."""
        count = sum("quantising" in line for line in self.said)
        self.said.clear()
        return count


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, exports: Callable[[str], Path]) -> Store:
    """A cache with the model and no engine."""
    cache = tmp_path_factory.mktemp("plain") / "cache"
    shutil.copytree(exported(find(NAME), exports(NAME)).cache, cache)
    return Store(cache)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, plain: Store) -> Store:
    """A cache with the int8 engine."""
    kept = copy(plain, tmp_path_factory.mktemp("built") / "cache")
    build(NAME, kept, SMALL, INT8)
    return kept


@pytest.fixture
def site(built: Store, tmp_path: Path) -> Site:
    """A copy of that cache."""
    return Site(copy(built, tmp_path / "cache"))


@pytest.fixture
def empty(plain: Store, tmp_path: Path) -> Site:
    """A copy of the cache without an engine."""
    return Site(copy(plain, tmp_path / "cache"))


def copy(store: Store, cache: Path) -> Store:
    shutil.copytree(store.cache, cache)
    return Store(cache)


def needs_bfloat16() -> None:
    if not has_bfloat16():
        pytest.skip("this processor has no bfloat16")


def test_an_engine_has_a_sidecar_with_its_comparison(site: Site) -> None:
    (folder,) = site.engines
    stored = json.loads((folder / "sidecar.json").read_text())
    assert stored["identity"]["precision"] == "int8"
    assert stored["identity"]["backend"] == "openvino"
    assert set(stored["files"]) == {"engine.bin", "engine.xml"}
    assert list(stored["comparison"]["outputs"]) == [f"{NAME}/heatmaps", f"{NAME}/fields"]
    assert stored["comparison"]["reference"].startswith("PyTorch")
    assert stored["compared_on"]["name"]


def test_an_engine_is_built_once(site: Site) -> None:
    loaded = load(NAME, site.store, SMALL, INT8, say=site.said.append)
    assert [engine.precision for engine in loaded.engines.values()] == ["int8"]
    loaded.close()
    assert site.said == []


@pytest.mark.parametrize("damaged", ["engine.bin", "engine.xml", "sidecar.json"])
def test_a_damaged_engine_is_built_anew(site: Site, damaged: str) -> None:
    (folder,) = site.engines
    content = (folder / damaged).read_bytes()
    (folder / damaged).write_bytes(content[: len(content) // 2])
    find_or_build(OpenVinoMaker(site.order("int8")), site.order("int8"))
    assert site.quantised() == 1
    assert site.engines == [folder]


def test_an_engine_of_another_release_is_replaced(site: Site) -> None:
    (old,) = site.engines
    maker = replace(OpenVinoMaker(site.order("int8")), version="2099.1")
    (new,) = find_or_build(maker, site.order("int8"))
    assert site.quantised() == 1
    assert site.engines == [new.folder] != [old]


def test_another_graph_is_another_engine(site: Site) -> None:
    with site.store.graph(find(NAME), find(NAME).networks["network"]).open("ab") as file:
        file.write(b"\x72\x00")  # an entry of metadata, which is empty
    find_or_build(OpenVinoMaker(site.order("int8")), site.order("int8"))
    assert site.quantised() == 1


def test_an_engine_from_another_machine_is_compared_again_and_not_built(site: Site) -> None:
    elsewhere = replace(OpenVinoMaker(site.order("int8")), machine=Machine("another processor"))
    for engine in open_proven(elsewhere, site.order("int8")).values():
        engine.close()
    assert [line.partition(" ")[0] for line in site.said] == ["comparing"]
    (folder,) = site.engines
    stored = json.loads((folder / sidecar.FILE).read_text())
    assert stored["compared_on"]["name"] == "another processor"


def test_an_engine_that_differs_too_much_is_refused_and_its_files_removed(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(comparison.TOLERANCES, "int8", Tolerance(1e-6, 1e-7))
    elsewhere = replace(OpenVinoMaker(site.order("int8")), machine=Machine("another processor"))
    with pytest.raises(UnprovenError, match="heatmaps"):
        open_proven(elsewhere, site.order("int8"))
    (folder,) = site.engines
    assert [path.name for path in folder.iterdir()] == [sidecar.FILE]
    site.said.clear()
    with pytest.raises(UnprovenError, match="heatmaps"):
        open_proven(elsewhere, site.order("int8"))
    assert site.said == [], "it is not built again to be refused again"
    others = tmp_path / "pictures"
    others.mkdir()
    cv2.imwrite(os.fspath(others / "grey.png"), np.full((64, 64, 3), 99, np.uint8))
    order = site.order("int8")
    order = replace(order, wanted=replace(order.wanted, pictures=others))
    with pytest.raises(UnprovenError, match="1 pictures"):
        open_proven(replace(elsewhere, order=order), order)


def test_where_no_precision_is_wanted_a_model_that_does_not_bear_half_runs_in_float32(
    empty: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(entry: Entry, *_: object) -> Choice:
        return Choice(entry, "openvino", "bf16", (), "the fastest there is")

    monkeypatch.setattr(loading, "choose_engine", half)
    monkeypatch.setitem(comparison.TOLERANCES, "bf16", Tolerance(1e-9, 1e-9))
    model = load(NAME, empty.store, SMALL, say=empty.said.append)
    assert [engine.precision for engine in model.engines.values()] == ["fp32"]
    assert model.why == "the fastest there is; not bf16, which differs too much from PyTorch"
    model.close()
    assert any("bf16 is not used" in line for line in empty.said)
    with pytest.raises(UnprovenError):
        load(NAME, empty.store, SMALL, EngineOptions(precision="bf16"))


def test_what_is_not_built_is_compared_all_the_same(site: Site) -> None:
    needs_bfloat16()
    order = site.order("bf16")
    for _ in range(2):
        for engine in open_proven(OpenVinoMaker(order), order).values():
            assert engine.precision == "bf16"
            engine.close()
    assert len(site.said) == 1, "it is compared once"
    assert len(site.engines) == 2


def test_a_graph_that_runs_as_published_is_neither_built_nor_compared(
    store: Store, tmp_path: Path
) -> None:
    said: list[str] = []
    kept, entry = Store(tmp_path, store.mirror), find("yolox-nano")
    load(entry.name, kept, say=said.append).close()
    assert build(entry.name, kept, Options(), EngineOptions(), say=said.append) == []
    assert said == []
    assert not kept.engines(entry).exists()


def test_another_precision_than_the_published_int8_is_refused(store: Store) -> None:
    with pytest.raises(EngineError, match="published in int8"):
        build("lightweight-openpose-int8", store, Options(), EngineOptions(precision="bf16"))


@dataclass(frozen=True)
class Breaking(OpenVinoMaker):
    """Stops half way."""

    def make(self, network: Network, folder: Path) -> None:  # noqa: ARG002 - the protocol
        (folder / "engine.xml").write_text("<net")
        raise RuntimeError("the machine is on fire")


def test_a_build_that_breaks_off_leaves_nothing(empty: Site) -> None:
    site = empty
    with pytest.raises(RuntimeError, match="on fire"):
        find_or_build(Breaking(site.order("int8")), site.order("int8"))
    assert site.engines == []


def test_two_processes_build_an_engine_once(empty: Site) -> None:
    start = [sys.executable, "-c", "from service.cli import main; main()"]
    command = [*start, "build", NAME, "--precision", "int8", "--height", "64", "--json"]
    environment = {"POSEWIRE_CACHE": str(empty.store.cache), "PATH": "/usr/bin:/bin"}
    both = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert sum("quantising" in said for _, said in answers) == 1
    first, second = (json.loads(printed) for printed, _ in answers)
    assert first == second
