"""`python -m tests.benchmarks.multiposenet DIR`: maps and boxes to people, ours beside a plain way.

One core. The Pose Residual Network's product is not in the times: random numbers stand for its
output.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np

from engines.grouping.multiposenet import Candidates, MultiPoseNetRule, find_candidates
from engines.grouping.person_assignment import GRID, assign, place, prn_inputs
from engines.people import Floats
from service.threads import one_thread
from tests.benchmarks.side_by_side import HEADER, Work, row
from tests.engines.grouping import multiposenet_reference as reference

_SCENES = {"s131": 1, "s132": 4, "s133": 9}  # people drawn
_RULE = MultiPoseNetRule()
_NECK = 1


def main(folder: Path) -> None:
    """Prints two lines a scene."""
    stored = np.load(folder / "decoding" / "multiposenet.npz")
    print(HEADER)
    for scene, people in _SCENES.items():
        heatmaps = np.delete(stored[f"{scene}_heatmaps"].astype(np.float32), _NECK, axis=0)
        boxes = stored[f"{scene}_boxes_xyxy"]
        outputs = np.random.default_rng(0).random((len(boxes), *GRID)).astype(np.float32)
        plain, found = reference.find_candidates(heatmaps), find_candidates(heatmaps, _RULE)
        slow: Work = partial(reference.find_candidates, heatmaps)
        print(row(f"{people} people, candidates", slow, partial(find_candidates, heatmaps, _RULE)))
        slow = partial(_plain, plain, boxes.tolist(), outputs)
        print(row(f"{people} people, assignment", slow, partial(_ours, found, boxes, outputs)))


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


if __name__ == "__main__":
    with one_thread():
        main(Path(sys.argv[1]))
