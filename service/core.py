"""Everything between the wire and the engines, which both protocols share."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass

from service.access.auth import Guard
from service.admission import Admission, State
from service.estimator import Estimator
from service.images.codec import ImageLimits
from service.scheduling.registry import Registry
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import Tracer, tracer


@dataclass(frozen=True, slots=True)
class Core:
    """What requests are answered with."""

    settings: Settings
    admission: Admission
    metrics: Metrics
    registry: Registry
    estimator: Estimator
    guard: Guard
    tracer: Tracer

    @property
    def unready(self) -> str:
        """Why it should be sent nothing now; empty while it should."""
        if self.admission.state is not State.SERVING:
            return str(self.admission.state.value)
        dead = self.registry.dead()
        return f"the engine of {', '.join(dead)} has died" if dead else ""

    @property
    def window(self) -> int:
        """Images of one request, or frames of one stream, in the system at once."""
        return min(self.settings.stream_window, self.admission.capacity)

    @classmethod
    def of(cls, settings: Settings, pool: Executor, traces: Tracer | None = None) -> Core:
        """Without models yet; `pool` runs the Python between two engine calls.

        Where `traces` go is a matter of the settings unless it is given.

        Raises:
            OSError, ValueError: as `Guard.of`.
            ModuleNotFoundError: as `tracer`.
        """
        traces = traces or tracer(wanted=settings.traces)
        admission, metrics = Admission(settings.max_images), Metrics()
        metrics.inflight.set_function(lambda: admission.inside)
        metrics.capacity.set_function(lambda: admission.capacity)
        registry = Registry(admission, metrics, settings.detector, traces)
        limits = ImageLimits(settings.max_bytes, settings.max_pixels)
        estimator = Estimator(registry, limits, admission, metrics, pool)
        guard = Guard.of(settings)
        core = cls(settings, admission, metrics, registry, estimator, guard, traces)
        metrics.ready.set_function(lambda: float(not core.unready))
        return core
