"""People are ordered, boxed and chosen by their scores."""

from __future__ import annotations

import numpy as np
import pytest

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


def in_boxes() -> People:
    """Four people in the order in which somebody gave their boxes."""
    boxes = np.array([[index, 0, 5, 9] for index in range(4)], np.float32)
    scores = np.array([0.3, 0.9, 0.3, 0.6], np.float32)
    keypoints = np.arange(4 * 2 * 3, dtype=np.float32).reshape(4, 2, 3)
    return People(keypoints, scores, boxes)


@pytest.mark.parametrize(
    ("max_people", "min_score", "kept"),
    [
        (None, 0.0, [0, 1, 2, 3]),
        (9, 0.0, [0, 1, 2, 3]),
        (3, 0.0, [0, 1, 3]),  # of equals the first
        (2, 0.0, [1, 3]),
        (1, 0.0, [1]),
        (2, 0.7, [1]),
        (2, 0.95, []),
        (None, 0.5, [1, 3]),
    ],
)
def test_the_best_of_people_in_boxes_keep_their_order(
    max_people: int | None, min_score: float, kept: list[int]
) -> None:
    people = in_boxes()
    best = people.best(max_people, min_score)
    np.testing.assert_array_equal(best.boxes, people.boxes[kept])
    np.testing.assert_array_equal(best.scores, people.scores[kept])
    np.testing.assert_array_equal(best.keypoints, people.keypoints[kept])


def test_people_at_boxes_are_certain_and_have_no_keypoints() -> None:
    people = People.at([(4, 3, 2, 1), (0, 0, 9.5, 7)])
    assert people.boxes.tolist() == [[4, 3, 2, 1], [0, 0, 9.5, 7]]
    assert people.scores.tolist() == [1, 1]
    assert people.keypoints.shape == (2, 0, 3)
    assert {people.keypoints.dtype, people.scores.dtype, people.boxes.dtype} == {
        np.dtype(np.float32)
    }


def test_people_at_no_boxes_are_nobody() -> None:
    for people in (People.at([]), People.at(np.zeros((0, 4), np.float32))):
        assert len(people) == 0
        assert (people.keypoints.shape, people.boxes.shape) == ((0, 0, 3), (0, 4))


def test_a_bodys_box_reaches_beyond_its_keypoints_on_every_side() -> None:
    keypoints = np.stack([person((10, 20, 1), (30, 60, 1)), person((-5, 0, 1), (5, 1, 1))])
    people = People.of(keypoints, np.array([0.9, 0.8], np.float32))
    bodies = people.body_boxes()
    low, high = bodies[:, :2], bodies[:, :2] + bodies[:, 2:]
    assert (low < people.boxes[:, :2]).all()
    assert (high > people.boxes[:, :2] + people.boxes[:, 2:]).all()
    assert (low + high) / 2 == pytest.approx(np.array([[20, 40], [0, 0.5]]), abs=1e-5)
    assert bodies[:, 2:] == pytest.approx(np.array([[24, 44], [12, 1.1]]), rel=1e-6)
    assert bodies.dtype == np.float32


def test_a_person_of_one_keypoint_has_an_empty_body() -> None:
    assert people().body_boxes()[0].tolist() == [1, 1, 0, 0]
    assert NOBODY.body_boxes().shape == (0, 4)
