"""`python -m tests.benchmarks.dekr`: 128 x 128 maps to people, ours beside a plain reference.

One core.
"""

from __future__ import annotations

from functools import partial

from engines.grouping.dekr import COCO, decode
from engines.skeletons import COCO_17
from service.threads import one_thread
from tests.benchmarks.side_by_side import HEADER, row
from tests.engines.grouping import dekr_reference
from tests.engines.grouping.dekr_scenes import crowd, draw

_NOISE = 0.02


def main() -> None:
    """Prints a line a scene, without and with the flip test."""
    print(HEADER)
    for people in (1, 5, 20):
        for flip in (False, True):
            maps = [draw(crowd(people, COCO_17), COCO_17, flip=flip, noise=_NOISE)]
            plain = partial(dekr_reference.decode, maps, COCO_17, COCO)
            ours = partial(decode, maps, COCO_17, COCO)
            print(row(f"{people} people{', flip' if flip else ''}", plain, ours))


if __name__ == "__main__":
    with one_thread():
        main()
