"""Two ways of doing the same, measured in turns so that a machine's drift touches both."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

Work = Callable[[], object]

HEADER = f"{'':24} {'reference ms':>13} {'ours ms':>8} {'times faster':>13} {'ours MB':>8}"


def row(name: str, plain: Work, ours: Work, turns: int = 40) -> str:
    """Medians in milliseconds, their ratio, and the memory ours takes at its peak."""
    times = [(_time(plain), _time(ours)) for _ in range(turns)]
    slow, fast = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    return f"{name:24} {slow:13.2f} {fast:8.2f} {slow / fast:13.1f} {_peak(ours):8.1f}"


def _time(work: Work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak(work: Work) -> float:
    """Megabytes that Python and NumPy allocate at once; what `work` is given is not counted."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6
