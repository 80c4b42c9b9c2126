"""The CPU engine runs batches of any size and gives each caller maps of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from engines.catalog import find
from engines.runtime.engine import Batch, Maps
from engines.runtime.openvino import OpenVinoEngine
from engines.weights import Store, ensure
from tests.shared import ROOT

ENTRY = find("lightweight-openpose-int8")
CHANNELS = {"heatmaps": 19, "fields": 38}


@pytest.fixture(scope="module")
def engine(store: Store) -> Iterator[OpenVinoEngine]:
    ensure(ENTRY, store)
    network = ENTRY.networks["network"]
    engine = OpenVinoEngine(store.graph(ENTRY, network), network, threads=2, max_batch=2)
    yield engine
    engine.close()


def pictures(count: int, height: int = 64, width: int = 96) -> Batch:
    return np.random.default_rng(5).integers(0, 256, (count, height, width, 3), np.uint8)


def copied(maps: Maps) -> Maps:
    return {name: array.copy() for name, array in maps.items()}


def assert_same(maps: Maps, expected: Maps) -> None:
    assert maps.keys() == expected.keys()
    for name, array in maps.items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (96, 64), (8, 8)])
def test_batches_of_any_size_are_run(
    engine: OpenVinoEngine, count: int, height: int, width: int
) -> None:
    maps = engine.infer(pictures(count, height, width))
    assert maps.keys() == CHANNELS.keys()
    for name, array in maps.items():
        assert array.shape == (count, CHANNELS[name], height // 8, width // 8)
        assert array.dtype == np.float32
        assert np.isfinite(array).all()


def test_a_batch_of_two_gives_what_each_gives_alone(engine: OpenVinoEngine) -> None:
    batch = pictures(2)
    together = engine.infer(batch)
    for index in range(2):
        alone = engine.infer(batch[index : index + 1])
        for name, array in alone.items():
            assert np.abs(array[0] - together[name][index]).max() <= 1e-4 * np.abs(array).max()
    assert np.abs(together["heatmaps"][0] - together["heatmaps"][1]).max() > 1e-3


def test_maps_are_the_callers_own(engine: OpenVinoEngine) -> None:
    batch = pictures(2)
    first = engine.infer(batch[:1])
    kept = copied(first)
    second = engine.infer(batch[1:])
    assert_same(first, kept)
    for name in CHANNELS:
        assert not np.shares_memory(first[name], second[name])
        second[name][:] = 0  # a caller may write to them
    assert_same(engine.infer(batch[:1]), kept)


def test_the_pictures_are_left_alone(engine: OpenVinoEngine) -> None:
    batch = pictures(2)
    kept = batch.copy()
    engine.infer(batch)
    np.testing.assert_array_equal(batch, kept)


def test_pictures_need_not_be_contiguous(engine: OpenVinoEngine) -> None:
    sliced = pictures(2)[:, :, ::-1]
    assert not sliced.flags.c_contiguous
    assert_same(engine.infer(sliced), engine.infer(sliced.copy()))


def test_it_says_the_largest_batch_it_wants(engine: OpenVinoEngine) -> None:
    assert engine.max_batch == 2


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["pp-tinypose-256x192", "yolox-nano"])
def test_a_graph_whose_batch_is_a_constant_runs_one_picture_after_the_other(
    name: str, threads: int, store: Store
) -> None:
    entry = find(name)
    ensure(entry, store)
    network = entry.networks["network"]
    engine = OpenVinoEngine(store.graph(entry, network), network, threads)
    height, width = entry.input.height, entry.input.width or 0
    batch = pictures(3, height, width)
    together = engine.infer(batch)
    for index in range(3):
        for output, array in engine.infer(batch[index : index + 1]).items():
            np.testing.assert_array_equal(array[0], together[output][index])
    engine.close()


def test_a_signal_is_handled_after_engines_are_gone_in_any_order(store: Store) -> None:
    """What a signal's handler runs on must outlive the engines; a process of its own dies of it."""
    ensure(ENTRY, store)
    program = """
import gc, os, signal, sys
from engines.catalog import find
from engines.runtime.openvino import OpenVinoEngine
network = find(sys.argv[1]).networks["network"]
engines = [OpenVinoEngine(sys.argv[2], network) for _ in "12"]
while engines:
    engines.pop(0).close()
    gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("handled"))
os.kill(os.getpid(), signal.SIGTERM)
"""
    graph = store.graph(ENTRY, ENTRY.networks["network"])
    asked = [sys.executable, "-c", program, ENTRY.name, str(graph)]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
