"""`python -m tests.benchmarks.dekr`: 128 x 128 maps to people, ours beside a plain reference.

One core. The two take turns, so that a machine's drift touches both.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

from engines.grouping.dekr import COCO, decode
from engines.skeletons import COCO_17
from service.threads import one_thread
from tests.engines.grouping import dekr_reference
from tests.engines.grouping.dekr_scenes import crowd, draw

_TURNS = 30
_NOISE = 0.02


def main() -> None:
    """Prints medians in milliseconds, their ratio, and the most memory in megabytes."""
    columns = ("people", "flip", "reference ms", "ours ms", "times faster", "MB", "ours MB")
    print(*(f"{name:>12}" for name in columns))
    for people in (1, 5, 20):
        for flip in (False, True):
            drawn = crowd(people, COCO_17)
            maps = [draw(drawn, COCO_17, flip=flip, noise=_NOISE)]
            plain = partial(dekr_reference.decode, maps, COCO_17, COCO)
            ours = partial(decode, maps, COCO_17, COCO)
            times = [(_time(plain), _time(ours)) for _ in range(_TURNS)]
            slow, fast = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
            print(
                f"{people:12} {'yes' if flip else 'no':>12} {slow:12.2f} {fast:12.2f} "
                f"{slow / fast:12.0f} {_peak(plain):12.1f} {_peak(ours):12.1f}"
            )


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _peak(work: Callable[[], object]) -> float:
    """Megabytes allocated at once, the maps not counted."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    with one_thread():
        main()
