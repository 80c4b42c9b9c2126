"""People are ordered, boxed and chosen by their scores."""

from __future__ import annotations

import numpy as np

from engines.people import Floats, People


def person(*keypoints: tuple[float, float, float]) -> Floats:
    return np.array(keypoints, np.float32)


NOBODY = People.of(np.zeros((0, 3, 3), np.float32), np.zeros(0, np.float32))
ONE = person((4, 6, 0.5), (0, 0, 0), (10, 2, 0.9))
TWO = person((1, 1, 0.1), (0, 0, 0), (0, 0, 0))
THREE = person((0, 0, 0.2), (-3, 7, 0.3), (5, 8, 0.4))


def people() -> People:
    return People.of(np.stack([ONE, TWO, THREE]), np.array([0.3, 0.9, 0.3], np.float32))


def test_the_best_score_comes_first_and_equals_keep_their_order() -> None:
    found = people()
    np.testing.assert_allclose(found.scores, [0.9, 0.3, 0.3])
    np.testing.assert_array_equal(found.keypoints, np.stack([TWO, ONE, THREE]))


def test_a_box_holds_the_keypoints_that_were_found() -> None:
    expected = [[1, 1, 0, 0], [4, 2, 6, 4], [-3, 0, 8, 8]]
    np.testing.assert_array_equal(people().boxes, expected)


def test_a_person_without_keypoints_has_an_empty_box() -> None:
    found = People.of(np.zeros((1, 3, 3), np.float32), np.ones(1, np.float32))
    np.testing.assert_array_equal(found.boxes, [[0, 0, 0, 0]])


def test_everything_is_float32() -> None:
    for found in (people(), NOBODY):
        assert {found.keypoints.dtype, found.scores.dtype, found.boxes.dtype} == {
            np.dtype(np.float32)
        }


def test_nobody_is_people_too() -> None:
    assert len(NOBODY) == 0
    assert NOBODY.keypoints.shape == (0, 3, 3)
    assert NOBODY.boxes.shape == (0, 4)
    assert len(NOBODY.best(max_people=3, min_score=0.5)) == 0


def test_the_best_are_the_first_with_enough_score() -> None:
    found = people()
    assert len(found.best()) == 3
    assert len(found.best(min_score=0.5)) == 1
    assert len(found.best(min_score=0.95)) == 0
    assert len(found.best(max_people=2)) == 2
    assert len(found.best(max_people=9)) == 3
    assert len(found.best(max_people=2, min_score=0.5)) == 1
    assert len(found.best(max_people=0)) == 0


def test_a_score_at_the_bound_is_enough() -> None:
    halves = People.of(np.stack([ONE]), np.array([0.5], np.float32))
    assert len(halves.best(min_score=0.5)) == 1


def test_keypoints_and_boxes_stay_beside_their_scores() -> None:
    best = people().best(max_people=2)
    np.testing.assert_array_equal(best.keypoints, np.stack([TWO, ONE]))
    np.testing.assert_array_equal(best.boxes, people().boxes[:2])
