"""`python -m tests.benchmarks.top_down`: crops' heatmaps to keypoints, ours beside plain loops.

One core. The two take turns, so that a machine's drift touches both.
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

from engines.grouping import top_down
from engines.people import Floats
from engines.skeletons import COCO_17
from service.threads import one_thread
from tests.engines.grouping import top_down_reference as reference

_TURNS = 40
_CROPS = (1, 5, 30)
_HEIGHT, _WIDTH = 64, 48

Work = Callable[[Floats, Floats], object]

_WAYS: dict[str, tuple[Work, Work]] = {
    "plain": (
        lambda heatmaps, _: reference.decode(heatmaps),
        lambda heatmaps, _: top_down.decode(heatmaps),
    ),
    "flip": (
        lambda heatmaps, flipped: reference.decode(
            reference.average_flipped(heatmaps, flipped, COCO_17.flip_pairs)
        ),
        lambda heatmaps, flipped: top_down.decode(
            top_down.average_flipped(heatmaps, flipped, COCO_17.flip_pairs)
        ),
    ),
    "dark": (
        lambda heatmaps, _: reference.decode(heatmaps, dark=True),
        lambda heatmaps, _: top_down.decode(heatmaps, dark=True),
    ),
}


def main() -> None:
    """Prints medians in milliseconds, their ratio, and the memory ours takes at its peak."""
    print(f"{'':6} {'crops':>5} {'reference ms':>13} {'ours ms':>8} {'times faster':>13} {'MB':>6}")
    for way, (plain, ours) in _WAYS.items():
        for crops in _CROPS:
            maps = _heatmaps(crops, seed=1), _heatmaps(crops, seed=2)
            times = [(_time(plain, *maps), _time(ours, *maps)) for _ in range(_TURNS)]
            slow, fast = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
            peak = _peak(ours, *maps) / 1e6
            print(f"{way:6} {crops:5} {slow:13.2f} {fast:8.2f} {slow / fast:13.1f} {peak:6.1f}")


def _heatmaps(crops: int, seed: int) -> Floats:
    """A Gaussian peak of two pixels in each map, anywhere, in a little noise."""
    rng = np.random.default_rng(seed)
    shape = (crops, len(COCO_17.keypoints), 1, 1)
    rows = np.arange(_HEIGHT)[:, None] - rng.uniform(0, _HEIGHT, shape)
    columns = np.arange(_WIDTH) - rng.uniform(0, _WIDTH, shape)
    peaks = np.exp(-(rows**2 + columns**2) / 8)
    return np.asarray(peaks + rng.normal(0, 0.01, peaks.shape), np.float32)


def _time(work: Work, *maps: Floats) -> float:
    began = time.perf_counter()
    work(*maps)
    return time.perf_counter() - began


def _peak(work: Work, *maps: Floats) -> int:
    tracemalloc.start()
    work(*maps)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


if __name__ == "__main__":
    with one_thread():
        main()
