"""`python -m tests.benchmarks.training_data [--size N]`: what a scene to train on costs.

Processor time on one core, over the pictures of the shared training data and COCO's, of reading a
picture, of each augmentation, of all together as they are by chance, and of the targets. What an
augmentation takes from other pictures is read beforehand, so that it is not their decoding.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle

import cv2
import numpy as np

from engines.skeletons import OPENPOSE_18
from tests.shared import SHARED
from training.data.augment.affine import Affine
from training.data.augment.chain import Augmentation
from training.data.augment.colour import Colour
from training.data.augment.copy_paste import CopyPaste
from training.data.augment.flip import Flip
from training.data.augment.half_body import HalfBody
from training.data.augment.mosaic import Mosaic
from training.data.augment.standard import standard
from training.data.coco import read
from training.data.sample import Sample
from training.data.scene import Scene
from training.data.targets import TargetRule, targets

_PICTURES = 100
_TURNS = 3


def main() -> None:
    """Prints milliseconds: medians, means, and what few exceed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=192, help="sides of the scene, in pixels")
    size = parser.parse_args().size
    cv2.setNumThreads(1)
    lsp, coco = SHARED / "train/lsp-extended", SHARED / "coco-mini"
    people = read(lsp / "person_keypoints.json", lsp / "images", OPENPOSE_18, everyone=False)
    _report("LSP extended, at most 224 pixels", people[:_PICTURES], size)
    train = read(coco / "person_keypoints_train2017.json", coco / "images", OPENPOSE_18)
    _report("COCO, 640 pixels", [one for one in train if len(one.people)], size)


def _report(title: str, samples: Sequence[Sample], size: int) -> None:
    print(f"{title}; scenes of {size} x {size}")
    read_ = cycle(samples)
    _row("read", lambda: next(read_).scene())
    scenes = [sample.scene() for sample in samples]
    affine = Affine((size, size))
    warped = [affine(scene, np.random.default_rng(0)) for scene in scenes]
    others = cycle(scenes)
    source = lambda _: next(others)  # noqa: E731
    steps: dict[str, tuple[Augmentation, list[Scene]]] = {
        "affine": (affine, scenes),
        "half body": (HalfBody(OPENPOSE_18), scenes),
        "mosaic": (Mosaic(source, affine), scenes),
        "copy-paste": (CopyPaste(OPENPOSE_18, source, affine=affine), warped),
        "flip": (Flip(OPENPOSE_18), warped),
        "colour": (Colour(), warped),
        "all by chance, and reading others": (standard(OPENPOSE_18, samples, affine), scenes),
    }
    rng = np.random.default_rng(0)
    for name, (step, given) in steps.items():
        scene = cycle(given)
        _row(name, lambda step=step, scene=scene: step(next(scene), rng))  # type: ignore[misc]
    scene = cycle(warped)
    _row("targets", lambda: targets(next(scene), OPENPOSE_18, TargetRule()))


def _row(name: str, work: Callable[[], object]) -> None:
    times = []
    for _ in range(_TURNS * _PICTURES):
        began = time.thread_time()
        work()
        times.append((time.thread_time() - began) * 1e3)
    slowest = sorted(times)[-len(times) // 20]
    print(
        f"  {name:34} {statistics.median(times):6.2f}   mean {statistics.mean(times):6.2f}"
        f"   95 in 100 below {slowest:6.2f}"
    )


if __name__ == "__main__":
    main()
