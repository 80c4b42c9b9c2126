"""The models that are served, each with the lanes of its networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from engines.model import Model
from engines.people import People
from engines.runtime.engine import Engine
from service.admission import Admission
from service.errors import BadParameterError, UnknownModelError
from service.estimate import Query
from service.scheduling.answers import Ran
from service.scheduling.board import stopped
from service.scheduling.device import Device
from service.scheduling.lane import Lane
from service.scheduling.pace import Pace
from service.scheduling.scheduler import Scheduler
from service.scheduling.served import Served
from service.settings import WHOLE_IMAGE
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import NO_TRACER, Tracer

Found = People | Model | None
"""Where people are: see `Model.steps`."""


class Registry:
    """What can be asked for.

    Args:
        admission: whether the service serves.
        metrics: counts and times.
        detector: finds people for a model that needs boxes, where a query names none.
        tracer: told of batches.
    """

    def __init__(
        self,
        admission: Admission,
        metrics: Metrics,
        detector: str = WHOLE_IMAGE,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._models: dict[str, Served] = {}
        self._lanes: dict[str, Lane] = {}  # by network, of all models
        self._paces: dict[str, Pace] = {}  # by network too
        self._scheduler = Scheduler(metrics.count_busy)
        self._detector = detector
        self._admission = admission
        self._metrics = metrics
        self._tracer = tracer

    def add(self, model: Model, max_delay: float = 0.0) -> None:
        """Serves `model` from now on, on every device that has its engines.

        Raises:
            ValueError: two engines of a network are on one device.
        """
        name, metrics = model.entry.name, self._metrics
        told, sets = partial(self._ran, name), (model.engines, *model.replicas)
        lanes = {
            network: self._scheduler.add(network, [one[network] for one in sets], told, max_delay)
            for network in model.engines
        }
        served = Served(model, lanes)
        metrics.queue.labels(name).set_function(lambda: served.waiting)
        for engines in sets:
            for network, engine in engines.items():
                metrics.describe(name, network, engine)
        if not self._models:
            first = next(iter(lanes.values()))
            self._admission.suit(first.max_batch * first.width)
        self._models[name] = served
        self._lanes.update(lanes)
        self._paces.update((network, Pace()) for network in lanes)
        for device in served.devices:
            self._show(device)

    def replace(self, device: str, engines: Mapping[str, Engine]) -> None:
        """Runs these engines, by network, on a device of that name in place of one that fell."""
        self._scheduler.replace(device, engines)
        self._show(device)

    def watch(self, on_fall: Callable[[Device], None]) -> None:
        """Tells of each device that falls from now on, by whatever thread."""
        self._scheduler.watch(on_fall)

    @property
    def devices(self) -> Mapping[str, Device]:
        """By name."""
        return self._scheduler.devices

    @property
    def hangs(self) -> bool:
        """Whether a thread hangs in an engine, which keeps the interpreter from ending well."""
        return self._scheduler.hangs

    def models_on(self, device: str) -> list[str]:
        """Models that have engines on a device."""
        return [name for name, served in self._models.items() if device in served.devices]

    def _show(self, name: str) -> None:
        """Shows in the metrics how a device does from now on."""
        device = self.devices[name]
        self._metrics.watch(device)
        for model in self.models_on(name):
            self._metrics.watch_engine(model, device)

    def _ran(self, model: str, ran: Ran) -> None:
        """Told of each batch that was answered, by a thread."""
        self._metrics.batch(model, ran.pictures)
        self._paces[ran.network].observe(ran.pictures, ran.seconds)
        self._tracer.batch(ran)

    def dead(self) -> list[str]:
        """Models with a network that no device runs."""
        return [name for name, served in self._models.items() if not served.alive]

    def close(self, within: float = 5.0) -> None:
        """Stops the engines; gives up those that take more than `within` seconds to end a batch."""
        self._scheduler.close(within)

    def lane(self, network: str) -> Lane:
        """Where a network of a served model is asked."""
        return self._lanes[network]

    def pace(self, network: str) -> Pace:
        """How fast a network of a served model runs."""
        return self._paces[network]

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

    def chosen(self, query: Query) -> tuple[Model, Found]:
        """The model that a query asks for, and where it finds people if it needs boxes.

        Raises:
            UnavailableError, UnknownModelError
            BadParameterError: the models do not go together.
        """
        served = self.served(query.model)
        if not served.alive:
            raise stopped()
        return served.model, self._found(served.model, query)

    def least_wait(self, model: Model, found: Found) -> float:
        """Seconds that an image which comes now spends with the engines, if all goes well."""
        models = (model, found) if isinstance(found, Model) else (model,)
        return sum(self._least_wait(network) for one in models for network in one.engines)

    def _least_wait(self, network: str) -> float:
        lane = self._lanes[network]
        return self._paces[network].least_wait(len(lane), lane.max_batch * lane.width)

    def _found(self, model: Model, query: Query) -> Found:
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
