"""Poses that resemble each other."""

from __future__ import annotations

import numpy as np
import pytest

from engines.grouping.oks import oks_nms, similarity
from engines.people import Floats
from engines.skeletons import COCO_17

SIGMAS = COCO_17.sigmas
AREA = 80.0 * 160.0


def poses(*moved: float) -> Floats:
    """(P, 17, 3) copies of one pose, each moved to the right by so many pixels."""
    pose = np.random.default_rng(8).uniform(0, [80, 160, 1], (17, 3))
    return np.stack([pose + np.array([x, 0, 0]) for x in moved]).astype(np.float32)


def areas(count: int) -> Floats:
    return np.full(count, AREA, np.float32)


def test_a_pose_is_wholly_similar_to_itself_and_not_to_one_far_away() -> None:
    near, far = similarity(poses(0)[0], AREA, poses(0, 500), areas(2), SIGMAS)
    assert near == 1
    assert far == pytest.approx(0)


def test_similarity_falls_with_each_keypoints_own_sigma() -> None:
    """A keypoint that is off by its deviation, 2 sigma x root of the area, counts exp(-1/2)."""
    pose, other = poses(0, 0)
    other[:, 0] += 2 * np.asarray(SIGMAS) * np.sqrt(AREA)
    (alike,) = similarity(pose, AREA, other[None], areas(1), SIGMAS)
    assert alike == pytest.approx(np.exp(-0.5))


def test_the_area_of_two_poses_is_their_mean() -> None:
    pose, other = poses(0, 6)
    mixed = similarity(pose, 1000.0, other[None], np.array([3000.0]), SIGMAS)
    even = similarity(pose, 2000.0, other[None], np.array([2000.0]), SIGMAS)
    assert mixed == pytest.approx(even)


def test_poses_without_an_area_are_similar_only_if_they_are_the_same() -> None:
    alike = similarity(poses(0)[0], 0.0, poses(0, 1), np.zeros(2), SIGMAS)
    assert alike.tolist() == [1, 0]


def test_of_poses_that_resemble_each_other_the_best_is_kept() -> None:
    scores = np.array([0.5, 0.9, 0.7], np.float32)
    assert oks_nms(poses(0, 1, 300), scores, areas(3), SIGMAS).tolist() == [1, 2]


def test_people_who_stand_close_are_all_kept_best_first() -> None:
    scores = np.array([0.5, 0.9, 0.7], np.float32)
    assert oks_nms(poses(0, 25, 50), scores, areas(3), SIGMAS).tolist() == [1, 2, 0]


def test_a_pose_left_out_does_not_leave_out_another() -> None:
    """Each resembles its neighbour, but the outer two not each other."""
    chain, scores = poses(0, 4, 8), np.array([0.9, 0.8, 0.7])
    alike = similarity(chain[0], AREA, chain, areas(3), SIGMAS)
    threshold = float(alike[1:].mean())
    assert oks_nms(chain, scores, areas(3), SIGMAS, threshold).tolist() == [0, 2]


def test_a_threshold_of_1_keeps_even_the_same_pose_twice() -> None:
    assert oks_nms(poses(0, 0), np.ones(2), areas(2), SIGMAS, 1.0).tolist() == [0, 1]


def test_nobody_gives_nobody() -> None:
    assert oks_nms(poses(0)[:0], np.zeros(0), areas(0), SIGMAS).tolist() == []
