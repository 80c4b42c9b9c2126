"""The models that are served, each with the lanes of its networks."""

from __future__ import annotations

from engines.model import Model
from engines.people import People
from service.admission import Admission
from service.errors import BadParameterError, UnknownModelError
from service.estimate import Query
from service.lane import Lane
from service.metrics import Metrics
from service.scheduler import Scheduler
from service.served import Served
from service.settings import WHOLE_IMAGE

Found = People | Model | None
"""Where people are: see `Model.steps`."""


class Registry:
    """What can be asked for.

    Args:
        admission: whether the service serves.
        metrics: counts and times.
        detector: finds people for a model that needs boxes, where a query names none.
    """

    def __init__(self, admission: Admission, metrics: Metrics, detector: str = WHOLE_IMAGE) -> None:
        self._models: dict[str, Served] = {}
        self._lanes: dict[str, Lane] = {}  # by network, of all models
        self._scheduler = Scheduler(metrics.count_busy)
        self._detector = detector
        self._admission = admission
        self._metrics = metrics

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

    def lane(self, network: str) -> Lane:
        """Where a network of a served model is asked."""
        return self._lanes[network]

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
        model = self.served(query.model).model
        return model, self._found(model, query)

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
