"""A mirrored picture."""

from __future__ import annotations

import numpy as np
import pytest

from engines.skeletons import BODY_25, COCO_17, OPENPOSE_18, Skeleton
from tests.training.data.pictures import ALL, dot, only, person, scene
from training.data.augment.flip import Flip
from training.data.scene import Scene

CHANCE = np.random.default_rng(0)


def test_a_left_wrist_becomes_a_right_one_and_stays_on_its_dot() -> None:
    drawn = scene(only(person(100.5, 120.5), "left_wrist"))
    flipped = Flip(OPENPOSE_18)(drawn, CHANCE)
    right = flipped.people[0, OPENPOSE_18.keypoints.index("right_wrist")]
    assert right.tolist() == [320 - 128.5, 128.5, 2]
    assert (flipped.people[:, :, 2] > 0).sum() == 1
    assert dot(flipped, right[:2], 6) == pytest.approx(right[:2])


def test_the_keypoints_that_count_are_exchanged_too() -> None:
    drawn = scene(person(100, 120))
    names = OPENPOSE_18.keypoints
    drawn.counts[:, :40] = 1 << names.index("left_wrist") | 1 << names.index("nose")
    flipped = Flip(OPENPOSE_18)(drawn, CHANCE)
    there = 1 << names.index("right_wrist") | 1 << names.index("nose")
    assert (flipped.counts[:, 280:] == there).all()
    assert (flipped.counts[:, :280] == ALL).all()


@pytest.mark.parametrize("skeleton", [OPENPOSE_18, COCO_17, BODY_25])
def test_every_bit_goes_where_its_keypoint_goes(skeleton: Skeleton) -> None:
    count = len(skeleton.keypoints)
    counts = (1 << np.arange(count, dtype=np.int32))[None]
    nobody = np.zeros((0, count, 3), np.float32)
    flipped = Flip(skeleton)(Scene(np.zeros((1, count, 3), np.uint8), nobody, counts), CHANCE)
    assert flipped.counts[0, ::-1].tolist() == [1 << part for part in skeleton.mirrored]


def test_twice_mirrored_is_as_before() -> None:
    drawn = scene(person(100, 120))
    drawn.counts[:] = np.random.default_rng(1).integers(0, ALL, drawn.counts.shape)
    twice = Flip(OPENPOSE_18)(Flip(OPENPOSE_18)(drawn, CHANCE), CHANCE)
    assert (twice.pixels == drawn.pixels).all()
    assert (twice.people == drawn.people).all()
    assert (twice.counts == drawn.counts).all()
