"""How long an image spends in each stage of its way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from service.telemetry.tracing import TRACE, Trace

_STAGES = ("decode", "prepare", "queue", "infer", "group")


@dataclass(slots=True)
class Stopwatch:
    """Seconds by stage, since it was made; the trace of its context is told of each stage.

    `at` is where the image is: with the decoder, an engine, or what groups its answers.
    """

    trace: Trace = field(default_factory=TRACE.get)
    began: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_STAGES, 0.0))
    at: str = "decode"

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, began, time.perf_counter() - began)

    def add(self, stage: str, began: float, seconds: float) -> None:
        """Counts time in a stage that `began` then, of `time.perf_counter`."""
        self.seconds[stage] += seconds
        self.trace.stage(stage, began, seconds)

    def milliseconds(self) -> dict[str, float]:
        spent = {**self.seconds, "total": time.perf_counter() - self.began}
        return {stage: round(seconds * 1e3, 3) for stage, seconds in spent.items()}
