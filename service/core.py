"""Everything between the wire and the engines, which both protocols share."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from service.admission import Admission
from service.estimator import Estimator
from service.images import ImageLimits
from service.metrics import Metrics
from service.registry import Registry
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Core:
    """What requests are answered with."""

    settings: Settings
    admission: Admission
    metrics: Metrics
    registry: Registry
    estimator: Estimator

    @classmethod
    def of(cls, settings: Settings, pool: Executor) -> Core:
        """Without models yet; `pool` runs the Python between two engine calls."""
        admission, metrics = Admission(settings.max_images), Metrics()
        metrics.inflight.set_function(lambda: admission.inside)
        registry = Registry(admission, metrics, settings.detector)
        limits = ImageLimits(settings.max_bytes, settings.max_pixels)
        estimator = Estimator(registry, limits, admission, metrics, pool)
        return cls(settings, admission, metrics, registry, estimator)
