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
    BadParameterError,
    DeadlineError,
    InternalError,
    OverloadedError,
    ServiceError,
    UnavailableError,
    UnknownModelError,
)
from service.estimate import Estimate, Query
from service.images import ImageLimits, decode
from service.lane import Lane
from service.metrics import Metrics
from service.scheduler import Scheduler
from service.served import Served
from service.settings import WHOLE_IMAGE
from service.stopwatch import Stopwatch

T = TypeVar("T")
Found = People | Model | None
"""Where people are: see `Model.steps`."""
log = logging.getLogger("posewire")


class Estimator:
    """Answers queries with the models it is given.

    Args:
        limits: of an image.
        admission: how many images are in the system.
        metrics: counts and times.
        pool: runs the Python between two engine calls.
        detector: finds people for a model that needs boxes, where a query names none.
    """

    def __init__(
        self,
        limits: ImageLimits,
        admission: Admission,
        metrics: Metrics,
        pool: Executor,
        detector: str = WHOLE_IMAGE,
    ) -> None:
        self._models: dict[str, Served] = {}
        self._lanes: dict[str, Lane] = {}  # by network, of all models
        self._scheduler = Scheduler(metrics.count_busy)
        self._detector = detector
        self._limits = limits
        self._admission = admission
        self._metrics = metrics
        self._pool = pool

    def add(self, model: Model, max_delay: float = 0.0) -> None:
        """Serves `model` from now on, on every device that has its engines."""
        name, metrics = model.entry.name, self._metrics
        told, sets = metrics.batches.labels(name).observe, (model.engines, *model.replicas)
        lanes = {
            network: self._scheduler.add(network, [one[network] for one in sets], told, max_delay)
            for network in model.engines
        }
        served = Served(model, lanes)
        metrics.queue.labels(name).set_function(lambda: served.waiting)
        metrics.engine_up.labels(name).set_function(lambda: float(served.alive))
        for device in self._scheduler.devices.values():
            metrics.watch(device)
        self._models[name] = served
        self._lanes.update(lanes)

    def dead(self) -> list[str]:
        """Models with an engine that no longer runs."""
        return [name for name, served in self._models.items() if not served.alive]

    def close(self) -> None:
        """Stops the engines."""
        self._scheduler.close()

    def served(self, name: str) -> Served:
        """The model served by that name; the first one where the name is empty.

        Raises:
            UnavailableError, UnknownModelError
        """
        self._admission.check(0)
        if not name:
            return next(iter(self._models.values()))
        if name not in self._models:
            known = ", ".join(self._models)
            raise UnknownModelError(f"No model {name!r} is served here: choose one of {known}.")
        return self._models[name]

    def label(self, name: str) -> str:
        """What metrics call the model a caller asked for; empty for one that is not served."""
        asked = name or next(iter(self._models), "")
        return asked if asked in self._models else ""

    def served_models(self) -> list[Model]:
        """Every model that is served, the default first; `UnavailableError` while starting."""
        self._admission.check(0)
        return [one.model for one in self._models.values()]

    def check(self, query: Query) -> None:
        """Refuses a query for models that are not served, or do not go together.

        Raises:
            UnavailableError, UnknownModelError, BadParameterError
        """
        self._found(self.served(query.model).model, query)

    async def estimate(self, data: bytes, query: Query) -> Estimate:
        """The people in an encoded image.

        Raises:
            ServiceError: any of them; see `service.errors`.
        """
        try:
            served = self.served(query.model)
            found = self._found(served.model, query)
            with self._admission.admit():
                async with asyncio.timeout_at(query.deadline):
                    estimate = await self._drive(data, served.model, found, query)
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

    def _found(self, model: Model, query: Query) -> Found:
        """Where the people are, for a model that needs boxes."""
        if not model.is_top_down:
            if query.boxes is not None or query.detector:
                raise BadParameterError(
                    f"{model.entry.name} finds people by itself: leave out boxes and detector."
                )
            return None
        if query.boxes is not None:
            if query.detector:
                raise BadParameterError("Give either boxes or a detector, not both.")
            return People.at(query.boxes)
        detector = query.detector or self._detector
        if detector == WHOLE_IMAGE:
            return None
        found = self.served(detector).model
        if found.is_top_down:
            raise BadParameterError(f"{detector} needs boxes itself: choose another detector.")
        return found

    async def _drive(self, data: bytes, model: Model, found: Found, query: Query) -> Estimate:
        watch = Stopwatch()
        opened = await self._in_pool(lambda: self._open(data, model, found, query, watch))
        asked = opened.asked
        while isinstance(asked, Infer):
            answer = await self._lanes[asked.network].infer(asked.inputs, query.deadline)
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
