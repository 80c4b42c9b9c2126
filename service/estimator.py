"""One request from bytes to people: drives a model's steps through the queues.

Python between two engine calls runs on a pool of threads, so that the event loop only
moves messages. Every network has its own queue, so crops of many requests share batches.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from engines.catalog import Entry
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
    UnknownModelError,
)
from service.estimate import Estimate, Query
from service.images import ImageLimits, decode
from service.metrics import Metrics
from service.worker import Worker

T = TypeVar("T")
log = logging.getLogger("posewire")


@dataclass(frozen=True, slots=True)
class Served:
    """A model with the worker of each of its networks."""

    model: Model
    workers: Mapping[str, Worker]

    @property
    def alive(self) -> bool:
        return all(worker.alive for worker in self.workers.values())

    @property
    def waiting(self) -> int:
        """Pictures that wait for an engine."""
        return sum(len(worker) for worker in self.workers.values())


class Estimator:
    """Answers queries with the models it is given."""

    def __init__(
        self, limits: ImageLimits, admission: Admission, metrics: Metrics, pool: Executor
    ) -> None:
        self._models: dict[str, Served] = {}
        self._limits = limits
        self._admission = admission
        self._metrics = metrics
        self._pool = pool

    def add(self, model: Model, max_delay: float = 0.0) -> None:
        """Serves `model` from now on, each of its engines on a thread of its own."""
        name, metrics = model.entry.name, self._metrics
        batches = metrics.batches.labels(name)
        served = Served(
            model,
            {
                network: Worker(f"engine-{name}", engine, max_delay, batches.observe)
                for network, engine in model.engines.items()
            },
        )
        metrics.queue.labels(name).set_function(lambda: served.waiting)
        metrics.engine_up.labels(name).set_function(lambda: float(served.alive))
        self._models[name] = served

    def dead(self) -> list[str]:
        """Models with an engine that no longer runs."""
        return [name for name, served in self._models.items() if not served.alive]

    def close(self) -> None:
        """Stops the engines."""
        for served in self._models.values():
            for worker in served.workers.values():
                worker.close()

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

    def served_models(self) -> list[Entry]:
        """Every model that is served, the default first; `UnavailableError` while starting."""
        self._admission.check(0)
        return [one.model.entry for one in self._models.values()]

    async def estimate(self, data: bytes, query: Query) -> Estimate:
        """The people in an encoded image.

        Raises:
            ServiceError: any of them; see `service.errors`.
        """
        try:
            served = self.served(query.model)
            with self._admission.admit():
                async with asyncio.timeout_at(query.deadline):
                    estimate = await self._drive(data, served, query)
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

    async def _drive(self, data: bytes, served: Served, query: Query) -> Estimate:
        watch = _Stopwatch()
        opened = await self._in_pool(lambda: self._open(data, served.model, query, watch))
        asked = opened.asked
        while isinstance(asked, Infer):
            answer = await served.workers[asked.network].infer(asked.inputs, query.deadline)
            watch.seconds["queue"] += answer.queued
            watch.seconds["infer"] += answer.inferred
            asked = await self._in_pool(_step(opened.steps, answer.maps, watch))
        return Estimate(
            entry=served.model.entry,
            width=opened.width,
            height=opened.height,
            people=asked.best(query.max_people, query.min_score),
            timings_ms=watch.milliseconds(),
            image=opened.image,
        )

    def _open(self, data: bytes, model: Model, query: Query, watch: _Stopwatch) -> _Opened:
        """Decodes an image and takes the model's first step, in one go on one thread."""
        with watch.time("decode"):
            image = decode(data, self._limits)
        with watch.time("prepare"):
            steps = model.steps(image)
            asked = next(steps)
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


@dataclass(slots=True)
class _Stopwatch:
    """Seconds by stage, since it was made."""

    began: float = field(default_factory=time.perf_counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - began

    def milliseconds(self) -> dict[str, float]:
        spent = {**self.seconds, "total": time.perf_counter() - self.began}
        return {stage: round(seconds * 1e3, 3) for stage, seconds in spent.items()}


def _step(steps: Steps, maps: Maps, watch: _Stopwatch) -> Callable[[], Infer | People]:
    """The Python between two engine calls: what is asked for next, or the people."""

    def step() -> Infer | People:
        with watch.time("group"):
            try:
                return steps.send(maps)
            except StopIteration as stopped:
                people: People = stopped.value
                return people

    return step
