"""What is measured of a load."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True)
class Load:
    """Finished images of one or more spells of load.

    Attributes:
        latencies: seconds of each image, of all spells.
        rates: images a second of each spell.
    """

    latencies: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def add(self, latencies: list[float], seconds: float) -> None:
        """A spell that took so many seconds."""
        self.latencies.extend(latencies)
        self.rates.append(len(latencies) / seconds)

    def figure(self) -> dict[str, float]:
        """Images a second (the median spell's), and median and 99th percentile of their ms."""
        if not self.latencies:
            raise ValueError("no image was finished in the time; give more --seconds")
        p50, p99 = np.percentile(self.latencies, (50, 99)) * 1e3
        return {
            "ips": round(float(np.median(self.rates)), 2),
            "p50_ms": round(float(p50), 2),
            "p99_ms": round(float(p99), 2),
        }
