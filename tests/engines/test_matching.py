"""Whom two models saw alike."""

from __future__ import annotations

import numpy as np
import pytest

from engines.matching import matched, similarities
from engines.people import Floats, People
from engines.skeletons import COCO_17, NO_KEYPOINTS


def pose(at: float = 0.0, score: float = 0.9) -> Floats:
    drawn = np.random.default_rng(4).uniform(0, [80, 160, 1], (17, 3))
    drawn[:, 0] += at
    drawn[:, 2] = score
    return drawn.astype(np.float32)


def people(*poses: Floats) -> People:
    keypoints = np.stack(poses) if poses else np.zeros((0, 17, 3), np.float32)
    return People.of(keypoints, keypoints[:, :, 2].max(axis=1, initial=0))


def alike(expected: People, found: People) -> list[float]:
    return matched(similarities(expected, found, COCO_17))


def test_people_are_found_again_in_any_order() -> None:
    assert alike(people(pose(), pose(300)), people(pose(300), pose())) == [1, 1]


def test_each_is_found_once() -> None:
    assert alike(people(pose(), pose(1)), people(pose())) == [1]


def test_who_is_elsewhere_is_not_found() -> None:
    assert alike(people(pose()), people(pose(400))) == []
    assert alike(people(pose()), people()) == []


def test_keypoints_that_are_hardly_seen_do_not_count() -> None:
    unsure, moved = pose(), pose()
    unsure[5:, 2] = 0.4
    moved[5:, :2] += 500
    assert alike(people(unsure), people(moved)) == [1]


def test_a_keypoint_that_is_missing_counts_as_nowhere() -> None:
    corner, missing = pose(), pose()
    corner[3, :2] = 0.1  # near where missing keypoints are said to be
    missing[3] = 0
    assert alike(people(corner), people(missing)) == [pytest.approx(16 / 17)]


def test_people_with_half_the_best_score_or_less_need_not_be_found() -> None:
    assert len(similarities(people(pose(), pose(300, score=0.4)), people(), COCO_17)) == 1


def test_who_has_no_keypoints_at_all_does_not_count() -> None:
    assert len(similarities(people(pose(score=0)), people(), COCO_17)) == 0


def test_boxes_are_compared_by_their_overlap() -> None:
    boxes, others = People.at([(0, 0, 10, 10)]), People.at([(50, 50, 9, 9), (5, 0, 10, 10)])
    assert similarities(boxes, others, NO_KEYPOINTS).tolist() == [[0, pytest.approx(1 / 3)]]
