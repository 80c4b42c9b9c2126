"""How long an image spends in each stage of its way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_STAGES = ("decode", "prepare", "queue", "infer", "group")


@dataclass(slots=True)
class Stopwatch:
    """Seconds by stage, since it was made."""

    began: float = field(default_factory=time.perf_counter)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_STAGES, 0.0))

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - began

    def milliseconds(self) -> dict[str, float]:
        spent = {**self.seconds, "total": time.perf_counter() - self.began}
        return {stage: round(seconds * 1e3, 3) for stage, seconds in spent.items()}
