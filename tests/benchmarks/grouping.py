"""`python -m tests.benchmarks.grouping DIR`: maps to people, ours beside a plain reference.

Lightweight OpenPose's and OpenPose's, on the scenes of a fixtures folder. One core.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from engines.grouping import openpose, part_affinity
from engines.people import Floats
from engines.skeletons import OPENPOSE_18
from service.threads import one_thread
from tests.benchmarks.side_by_side import HEADER, Work, row
from tests.engines.grouping import openpose_reference, reference

_SCENES = {"s102": 1, "s103": 4, "s104": 12, "s105": 30}  # people drawn


def main(folder: Path) -> None:
    """Prints a line a scene."""
    print(HEADER)
    rule = part_affinity.PartAffinityRule()
    for people, maps in _scenes(folder / "decoding" / "lightweight-openpose.npz"):
        plain: Work = partial(reference.group, *maps, OPENPOSE_18)
        ours: Work = partial(part_affinity.group, *maps, OPENPOSE_18, 8, rule)
        print(row(f"lightweight, {people} people", plain, ours))
    authors = openpose.rule_of(OPENPOSE_18)
    for people, maps in _scenes(folder / "decoding" / "openpose-coco.npz"):
        plain = partial(openpose_reference.group, *maps, OPENPOSE_18, authors)
        ours = partial(openpose.group, *maps, OPENPOSE_18, 8, authors)
        print(row(f"openpose, {people} people", plain, ours, turns=10))


def _scenes(path: Path) -> Iterator[tuple[int, tuple[Floats, Floats]]]:
    with np.load(path) as stored:
        for scene, people in _SCENES.items():
            maps = (stored[f"{scene}_{kind}"].astype(np.float32) for kind in ("heatmaps", "pafs"))
            yield people, (next(maps), next(maps))


if __name__ == "__main__":
    with one_thread():
        main(Path(sys.argv[1]))
