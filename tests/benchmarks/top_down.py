"""`python -m tests.benchmarks.top_down`: crops' heatmaps to keypoints, ours beside plain loops.

One core.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from engines.grouping import top_down
from engines.people import Floats
from engines.skeletons import COCO_17
from service.threads import one_thread
from tests.benchmarks.side_by_side import HEADER, row
from tests.engines.grouping import top_down_reference as reference

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
            top_down.average_flipped(heatmaps, flipped, COCO_17.mirrored)
        ),
    ),
    "dark": (
        lambda heatmaps, _: reference.decode(heatmaps, dark=True),
        lambda heatmaps, _: top_down.decode(heatmaps, dark=True),
    ),
}


def main() -> None:
    """Prints a line a way of decoding and number of crops."""
    print(HEADER)
    for way, (plain, ours) in _WAYS.items():
        for crops in _CROPS:
            maps = _heatmaps(crops, seed=1), _heatmaps(crops, seed=2)
            print(row(f"{crops} crops, {way}", partial(plain, *maps), partial(ours, *maps)))


def _heatmaps(crops: int, seed: int) -> Floats:
    """A Gaussian peak of two pixels in each map, anywhere, in a little noise."""
    rng = np.random.default_rng(seed)
    shape = (crops, len(COCO_17.keypoints), 1, 1)
    rows = np.arange(_HEIGHT)[:, None] - rng.uniform(0, _HEIGHT, shape)
    columns = np.arange(_WIDTH) - rng.uniform(0, _WIDTH, shape)
    peaks = np.exp(-(rows**2 + columns**2) / 8)
    return np.asarray(peaks + rng.normal(0, 0.01, peaks.shape), np.float32)


if __name__ == "__main__":
    with one_thread():
        main()
