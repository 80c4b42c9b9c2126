"""Load in this process: the engine alone, and the pipeline from bytes to people."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from engines.model import Model
from engines.runtime.engine import Batch, Engine
from service.admission import Admission, State
from service.errors import ServiceError
from service.estimate import Query
from service.estimator import Estimator
from service.images import ImageLimits, decode
from service.metrics import Metrics

Spell = tuple[list[float], float]  # latencies and duration, in seconds


def prepared_inputs(model: Model, images: Mapping[str, bytes]) -> list[Batch]:
    """What the model first asks its engine for, for each encoded image by its name.

    Raises:
        ValueError: an image is not acceptable; names it.
    """
    inputs = []
    for name, data in images.items():
        try:
            image = decode(data, ImageLimits())
        except ServiceError as error:
            raise ValueError(f"{name}: {error}") from error
        inputs.append(next(model.steps(image)).inputs)
    return inputs


def engine_load(engine: Engine, inputs: Sequence[Batch], seconds: float) -> Spell:
    """One input after the other, which is how an engine runs fastest without its queue."""
    latencies = []
    began = now = time.perf_counter()
    for batch in itertools.cycle(inputs):
        engine.infer(batch)
        before, now = now, time.perf_counter()
        latencies.append(now - before)
        if now - began > seconds:
            break
    return latencies, now - began


class Pipeline:
    """The estimator without its servers."""

    def __init__(self, model: Model) -> None:
        metrics, admission = Metrics(), Admission(capacity=1_000)
        admission.state = State.SERVING
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        self._estimator = Estimator(ImageLimits(), admission, metrics, self._pool)
        self._estimator.add(model)

    def load(self, images: Sequence[bytes], seconds: float, concurrency: int) -> Spell:
        return asyncio.run(self._load(images, seconds, concurrency))

    def close(self) -> None:
        self._estimator.close()
        self._pool.shutdown()

    async def _load(self, images: Sequence[bytes], seconds: float, concurrency: int) -> Spell:
        latencies: list[float] = []
        source = itertools.cycle(images)
        began = time.monotonic()

        async def caller() -> None:
            while (now := time.monotonic()) < began + seconds:
                await self._estimator.estimate(next(source), Query("", deadline=now + 60))
                latencies.append(time.monotonic() - now)

        await asyncio.gather(*(caller() for _ in range(concurrency)))
        return latencies, time.monotonic() - began
