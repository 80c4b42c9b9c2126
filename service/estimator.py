"""One request from bytes to people: drives a model's steps through the queues.

Python between two engine calls runs on a pool of threads, so that the event loop only
moves messages. Every network has its own queue, so crops of many requests share batches.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from engines.drawing import draw
from engines.geometry import Pixels
from engines.model import Model
from engines.people import People
from engines.runtime.engine import Maps
from engines.steps import Infer, Steps
from service.admission import Admission
from service.errors import DeadlineError, InternalError, ServiceError
from service.estimate import Estimate, Query
from service.finite import check_maps, check_people
from service.images.codec import ImageLimits, decode, encode
from service.scheduling.registry import Found, Registry
from service.telemetry.metrics import Metrics
from service.telemetry.stopwatch import Stopwatch

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
        async with self._place(query) as place:
            return await self._drive(data, place, query)

    async def render(self, data: bytes, query: Query) -> bytes:
        """The image with its people drawn, as JPEG; raises as `estimate` does."""
        async with self._place(query) as place:
            estimate = await self._drive(data, place, query, keep_image=True)
            return await self._in_pool(partial(self._drawn, estimate))

    def chosen(self, query: Query) -> tuple[Model, Found]:
        """As `Registry.chosen`, for a query that may be answered in time.

        Raises:
            DeadlineError: the engines are known to need longer.
            ServiceError: as `Registry.chosen`.
        """
        model, found = self._registry.chosen(query)
        if time.monotonic() + self._registry.least_wait(model, found) >= query.deadline:
            raise DeadlineError(
                "The deadline would pass before the people are found: allow more time."
            )
        return model, found

    @asynccontextmanager
    async def _place(self, query: Query) -> AsyncIterator[_Place]:
        """A place in the system for one image, until its deadline."""
        watch = Stopwatch()
        with self._metrics.shedding():
            try:
                model, found = self.chosen(query)
                with self._admission.admit():
                    async with asyncio.timeout_at(query.deadline):
                        yield _Place(model, found, watch)
            except TimeoutError:
                raise DeadlineError(
                    "The deadline passed before the people were found: allow more time."
                ) from None
            except asyncio.CancelledError:
                self._metrics.cancelled.labels(watch.at).inc()
                raise
            except ServiceError:
                raise
            except Exception as error:
                log.exception("a fault on an image for %s", query.model or "the default model")
                raise InternalError("A fault of the service: see its log.") from error

    async def _drive(
        self, data: bytes, place: _Place, query: Query, *, keep_image: bool = False
    ) -> Estimate:
        watch = place.watch
        opened = await self._in_pool(lambda: self._open(data, place, query.deadline))
        asked = opened.asked
        while isinstance(asked, Infer):
            watch.at, put = "engine", time.perf_counter()
            answer = await self._registry.lane(asked.network).infer(asked.inputs, query.deadline)
            watch.add("queue", put, answer.queued)
            watch.add("infer", put + answer.queued, answer.inferred)
            watch.at = "group"
            asked = await self._in_pool(_step(opened.steps, answer.maps, watch))
        height, width = opened.image.shape[:2]
        estimate = Estimate(
            entry=place.model.entry,
            width=width,
            height=height,
            people=asked.best(query.max_people, query.min_score),
            timings_ms=watch.milliseconds(),
            image=opened.image if keep_image else None,
        )
        found = len(estimate.people)
        self._metrics.answered(estimate.entry.name, estimate.timings_ms, people=found)
        return estimate

    def _open(self, data: bytes, place: _Place, deadline: float) -> _Opened:
        """Decodes an image and takes the model's first step, in one go on one thread."""
        if time.monotonic() >= deadline:
            raise TimeoutError  # which the loop has not noticed yet
        with place.watch.time("decode"):
            image = decode(data, self._limits)
        with place.watch.time("prepare"):
            steps = place.model.steps(image, place.found)
            asked = _advance(steps, None)
        return _Opened(image, steps, asked)

    def _drawn(self, estimate: Estimate) -> bytes:
        if estimate.image is None:
            raise ValueError("the estimate does not carry its image")
        with self._metrics.encoding(estimate.entry.name):
            return encode(draw(estimate.image, estimate.people, estimate.entry.skeleton))

    async def _in_pool(self, work: Callable[[], T]) -> T:
        known = copy_context().run  # what is logged there names the request
        return await asyncio.get_running_loop().run_in_executor(self._pool, known, work)


@dataclass(frozen=True, slots=True)
class _Place:
    """Of an image in the system: what answers it, and how long it has been where."""

    model: Model
    found: Found
    watch: Stopwatch


@dataclass(frozen=True, slots=True)
class _Opened:
    image: Pixels
    steps: Steps
    asked: Infer | People


def _step(steps: Steps, maps: Maps, watch: Stopwatch) -> Callable[[], Infer | People]:
    """The Python between two engine calls."""

    def step() -> Infer | People:
        with watch.time("group"):
            check_maps(maps)
            asked = _advance(steps, maps)
            if isinstance(asked, People):
                check_people(asked)
            return asked

    return step


def _advance(steps: Steps, maps: Maps | None) -> Infer | People:
    """What is asked for next, or the people."""
    try:
        return next(steps) if maps is None else steps.send(maps)
    except StopIteration as stopped:
        people: People = stopped.value
        return people
