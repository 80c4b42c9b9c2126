"""`python -m tests.benchmarks.grouping DIR`: maps to people, ours beside a plain reference.

One core. The two take turns, scene by scene, so that a machine's drift touches both.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from engines.grouping.part_affinity import PartAffinityRule, group
from engines.skeletons import OPENPOSE_18
from service.threads import one_thread
from tests.engines.grouping import reference

_TURNS = 60
_SCENES = {"s102": 1, "s103": 4, "s104": 12, "s105": 30}  # people drawn


def main(folder: Path) -> None:
    """Prints the medians of each scene in milliseconds, and their ratio."""
    maps = np.load(folder / "decoding" / "lightweight-openpose.npz")
    print(f"{'people':>6} {'reference ms':>13} {'ours ms':>8} {'times faster':>13}")
    for scene, people in _SCENES.items():
        heatmaps = maps[f"{scene}_heatmaps"].astype(np.float32)
        fields = maps[f"{scene}_pafs"].astype(np.float32)
        plain = partial(reference.group, heatmaps, fields, OPENPOSE_18)
        ours = partial(group, heatmaps, fields, OPENPOSE_18, 8, PartAffinityRule())
        times = [(_time(plain), _time(ours)) for _ in range(_TURNS)]
        slow, fast = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        print(f"{people:6} {slow:13.2f} {fast:8.2f} {slow / fast:13.1f}")


def _time(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    with one_thread():
        main(Path(sys.argv[1]))
