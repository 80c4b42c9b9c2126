"""Load in this process: the engine alone, and the pipeline from bytes to people."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from engines.model import Model, answer, drive, engines_of
from engines.runtime.engine import Maps
from engines.steps import Infer, Steps, watched
from service.admission import State
from service.core import Core
from service.errors import ServiceError
from service.estimate import Query
from service.images.codec import ImageLimits, decode
from service.settings import WHOLE_IMAGE, Settings

Spell = tuple[list[float], float]  # latencies and duration, in seconds


class Engines:
    """The engines alone, on what the model asks them for.

    Args:
        model: any.
        detector: finds people for a model that needs boxes.
        images: encoded, by name.

    Raises:
        ValueError: an image is not acceptable; names it.
    """

    def __init__(self, model: Model, detector: Model | None, images: Mapping[str, bytes]) -> None:
        self._engines = engines_of(model, detector)
        self.asked: list[list[Infer]] = []
        for name, data in images.items():
            try:
                image = decode(data, ImageLimits())
            except ServiceError as error:
                raise ValueError(f"{name}: {error}") from error
            self.asked.append(self._questions(model.steps(image, detector)))

    def _questions(self, steps: Steps) -> list[Infer]:
        """What steps ask for, in order."""
        asked: list[Infer] = []

        def look(one: Infer, _: Maps) -> None:
            asked.append(one)

        drive(watched(steps, look), self._engines)
        return asked

    def load(self, seconds: float) -> Spell:
        """One image's inputs after the other, which is how engines run fastest without queues."""
        latencies = []
        began = now = time.perf_counter()
        for asked in itertools.cycle(self.asked):
            for one in asked:
                answer(self._engines[one.network], one.inputs)
            before, now = now, time.perf_counter()
            latencies.append(now - before)
            if now - began > seconds:
                break
        return latencies, now - began


class Pipeline:
    """The estimator without its servers."""

    def __init__(self, model: Model, detector: Model | None) -> None:
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        name = detector.entry.name if detector else WHOLE_IMAGE
        self._core = Core.of(Settings(max_images=1_000, detector=name), self._pool)
        for one in (model, detector):
            if one is not None:
                self._core.registry.add(one)
        self._core.admission.state = State.SERVING

    def load(self, images: Sequence[bytes], seconds: float, concurrency: int) -> Spell:
        return asyncio.run(self._load(images, seconds, concurrency))

    def close(self) -> None:
        self._core.registry.close()
        self._pool.shutdown()

    async def _load(self, images: Sequence[bytes], seconds: float, concurrency: int) -> Spell:
        latencies: list[float] = []
        source = itertools.cycle(images)
        began = time.monotonic()

        async def caller() -> None:
            while (now := time.monotonic()) < began + seconds:
                await self._core.estimator.estimate(next(source), Query("", deadline=now + 60))
                latencies.append(time.monotonic() - now)

        await asyncio.gather(*(caller() for _ in range(concurrency)))
        return latencies, time.monotonic() - began
