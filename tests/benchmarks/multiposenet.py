"""`python -m tests.benchmarks.multiposenet DIR`: maps and boxes to people, ours beside a plain way.

One core. The two take turns, so that a machine's drift touches both. The Pose Residual
Network's product is not in the times: random numbers stand for its output.
"""

from __future__ import annotations

import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from engines.grouping.multiposenet import Candidates, MultiPoseNetRule, find_candidates
from engines.grouping.person_assignment import GRID, assign, place, prn_inputs
from engines.people import Floats
from service.threads import one_thread
from tests.engines.grouping import multiposenet_reference as reference

_TURNS = 30
_SCENES = {"s131": 1, "s132": 4, "s133": 9}  # people drawn
_RULE = MultiPoseNetRule()
_NECK = 1

Work = Callable[[], object]


def main(folder: Path) -> None:
    """Prints each scene's medians in milliseconds, their ratio, and the peaks of memory."""
    stored = np.load(folder / "decoding" / "multiposenet.npz")
    print("people step        reference ms  ours ms  times faster  reference MB  ours MB")
    for scene, people in _SCENES.items():
        heatmaps = np.delete(stored[f"{scene}_heatmaps"].astype(np.float32), _NECK, axis=0)
        boxes = stored[f"{scene}_boxes_xyxy"]
        outputs = np.random.default_rng(0).random((len(boxes), *GRID)).astype(np.float32)
        plain, found = reference.find_candidates(heatmaps), find_candidates(heatmaps, _RULE)
        _compare(
            f"{people:6} candidates",
            partial(reference.find_candidates, heatmaps),
            partial(find_candidates, heatmaps, _RULE),
        )
        _compare(
            f"{people:6} assignment",
            partial(_plain, plain, boxes.tolist(), outputs),
            partial(_ours, found, boxes, outputs),
        )


def _plain(
    found: list[list[reference.Candidate]], boxes: list[reference.Corners], outputs: Floats
) -> None:
    marked = reference.marks(found, boxes)
    reference.prn_inputs(marked)
    reference.assign(outputs, marked, found, boxes)


def _ours(found: Candidates, boxes: Floats, outputs: Floats) -> None:
    placed = place(found, boxes, _RULE.reach)
    prn_inputs(placed, len(boxes))
    assign(outputs, placed, found, boxes)


def _compare(name: str, plain: Work, ours: Work) -> None:
    times = [(_time(plain), _time(ours)) for _ in range(_TURNS)]
    slow, fast = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
    memory = f"{_memory(plain):13.1f} {_memory(ours):8.1f}"
    print(f"{name} {slow:13.2f} {fast:8.2f} {slow / fast:13.1f}  {memory}")


def _time(work: Work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _memory(work: Work) -> float:
    """Its peak in MB, of what NumPy and Python take."""
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


if __name__ == "__main__":
    with one_thread():
        main(Path(sys.argv[1]))
