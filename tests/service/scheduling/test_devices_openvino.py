"""Two real engines, as if they were two devices, serve one queue."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from engines.catalog import find
from engines.runtime.engine import Batch, Engine, Maps
from engines.runtime.openvino import OpenVinoEngine
from engines.weights import Store, ensure
from service.scheduling.scheduler import Scheduler
from service.telemetry.metrics import Metrics
from tests.service.fakes import PATIENCE_S, OnDevice
from tests.service.lanes import soon

ENTRY = find("lightweight-openpose-int8")
NAMES = ["one", "other"]


class Meeting(OnDevice):
    """Runs its first batch once the other has one too."""

    def __init__(self, engine: Engine, device: str, place: threading.Barrier) -> None:
        super().__init__(engine, device)
        self._place = place

    def infer(self, batch: Batch) -> Maps:
        if not self.pictures:
            self._place.wait(PATIENCE_S)
        return super().infer(batch)


@pytest.fixture
def engines(store: Store) -> Iterator[list[Meeting]]:
    ensure(ENTRY, store)
    network = ENTRY.networks["network"]
    graph = store.graph(ENTRY, network)
    real = [OpenVinoEngine(graph, network, threads=1, max_batch=2) for _ in NAMES]
    place = threading.Barrier(2)
    yield [Meeting(engine, name, place) for engine, name in zip(real, NAMES, strict=True)]
    for engine in real:
        engine.close()


async def test_two_engines_share_a_queue_and_answer_each_caller_with_its_own_maps(
    engines: list[Meeting],
) -> None:
    scheduler, pictures = Scheduler(Metrics().count_busy), 16
    lane = scheduler.add("network", engines, lambda _: None)
    shape = (pictures, 1, 64, 96, 3)
    inputs = np.random.default_rng(5).integers(0, 256, shape, np.uint8)
    answers = await asyncio.gather(*(lane.infer(one, soon()) for one in inputs))
    await asyncio.to_thread(scheduler.close)
    assert sum(engine.pictures for engine in engines) == pictures
    for one, answer in zip(inputs, answers, strict=True):
        for name, expected in engines[0].infer(one).items():
            np.testing.assert_allclose(answer.maps[name], expected, atol=1e-4)
