"""One request from bytes to people: drives a model's steps through the queues.

Python between two engine calls runs on a pool of threads, so that the event loop only
moves messages. Every network has its own queue, so crops of many requests share batches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from engines.geometry import Pixels
from engines.model import Model
from engines.people import People
from engines.runtime.engine import Maps
from engines.steps import Infer, Steps
from service.admission import Admission
from service.errors import (
    DeadlineError,
    InternalError,
    OverloadedError,
    ServiceError,
    UnavailableError,
)
from service.estimate import Estimate, Query
from service.images import ImageLimits, decode
from service.metrics import Metrics
from service.registry import Found, Registry
from service.stopwatch import Stopwatch

T = TypeVar("T")
log = logging.getLogger("posewire")


class Estimator:
    """Answers queries.

    Args:
        registry: of the models.
        limits: of an image.
        admission: how many images are in the system.
        metrics: counts and times.
        pool: runs the Python between two engine calls.
    """

    def __init__(
        self,
        registry: Registry,
        limits: ImageLimits,
        admission: Admission,
        metrics: Metrics,
        pool: Executor,
    ) -> None:
        self._registry = registry
        self._limits = limits
        self._admission = admission
        self._metrics = metrics
        self._pool = pool

    async def estimate(self, data: bytes, query: Query) -> Estimate:
        """The people in an encoded image.

        Raises:
            ServiceError: any of them; see `service.errors`.
        """
        try:
            model, found = self._registry.chosen(query)
            with self._admission.admit():
                async with asyncio.timeout_at(query.deadline):
                    estimate = await self._drive(data, model, found, query)
        except TimeoutError:
            self._metrics.shed.labels(DeadlineError.code).inc()
            raise DeadlineError(
                "The deadline passed before the people were found: allow more time."
            ) from None
        except (OverloadedError, UnavailableError) as error:
            self._metrics.shed.labels(error.code).inc()
            raise
        except ServiceError:
            raise
        except Exception as error:
            log.exception("a fault on an image for %s", query.model or "the default model")
            raise InternalError("A fault of the service: see its log.") from error
        self._observe(estimate)
        return estimate

    async def _drive(self, data: bytes, model: Model, found: Found, query: Query) -> Estimate:
        watch = Stopwatch()
        opened = await self._in_pool(lambda: self._open(data, model, found, query, watch))
        asked = opened.asked
        while isinstance(asked, Infer):
            answer = await self._registry.lane(asked.network).infer(asked.inputs, query.deadline)
            watch.seconds["queue"] += answer.queued
            watch.seconds["infer"] += answer.inferred
            asked = await self._in_pool(_step(opened.steps, answer.maps, watch))
        return Estimate(
            entry=model.entry,
            width=opened.width,
            height=opened.height,
            people=asked.best(query.max_people, query.min_score),
            timings_ms=watch.milliseconds(),
            image=opened.image,
        )

    def _open(
        self, data: bytes, model: Model, found: Found, query: Query, watch: Stopwatch
    ) -> _Opened:
        """Decodes an image and takes the model's first step, in one go on one thread."""
        with watch.time("decode"):
            image = decode(data, self._limits)
        with watch.time("prepare"):
            steps = model.steps(image, found)
            asked = _advance(steps, None)
        kept = image if query.keep_image else None
        return _Opened(image.shape[1], image.shape[0], kept, steps, asked)

    async def _in_pool(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _observe(self, estimate: Estimate) -> None:
        name = estimate.entry.name
        for stage, milliseconds in estimate.timings_ms.items():
            if stage != "total":
                self._metrics.stages.labels(stage, name).observe(milliseconds / 1e3)
        self._metrics.images.labels(name).inc()
        self._metrics.people.labels(name).observe(len(estimate.people))


@dataclass(frozen=True, slots=True)
class _Opened:
    width: int
    height: int
    image: Pixels | None
    steps: Steps
    asked: Infer | People


def _step(steps: Steps, maps: Maps, watch: Stopwatch) -> Callable[[], Infer | People]:
    """The Python between two engine calls."""

    def step() -> Infer | People:
        with watch.time("group"):
            return _advance(steps, maps)

    return step


def _advance(steps: Steps, maps: Maps | None) -> Infer | People:
    """What is asked for next, or the people."""
    try:
        return next(steps) if maps is None else steps.send(maps)
    except StopIteration as stopped:
        people: People = stopped.value
        return people
