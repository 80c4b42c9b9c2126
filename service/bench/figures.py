"""What is measured of a load: latencies, and the time they took together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(slots=True)
class Load:
    """Finished images of one or more spells of load.

    Attributes:
        latencies: seconds of each image.
        seconds: of all the spells.
    """

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, latencies: list[float], seconds: float) -> None:
        self.latencies += latencies
        self.seconds += seconds

    def figure(self) -> dict[str, float]:
        """Images a second, and the median and 99th percentile of their time in ms."""
        if not self.latencies:
            raise ValueError("no image was finished in the time; give more --seconds")
        p50, p99 = np.percentile(self.latencies, (50, 99)) * 1e3
        return {
            "ips": round(len(self.latencies) / self.seconds, 2),
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
        }
