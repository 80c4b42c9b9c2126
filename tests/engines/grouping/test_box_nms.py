from __future__ import annotations

import numpy as np
import pytest

from engines.grouping.box_nms import nms

# the second shares 50 of 150 with the first
BOXES = np.array([[0, 0, 10, 10], [0, 5, 10, 15], [40, 40, 50, 50]], dtype=np.float32)


def test_a_box_that_overlaps_a_better_one_is_left_out() -> None:
    assert nms(BOXES, np.array([0.6, 0.9, 0.3]), 0.3).tolist() == [1, 2]


def test_boxes_that_overlap_less_than_the_threshold_are_all_kept_best_first() -> None:
    assert nms(BOXES, np.array([0.6, 0.9, 0.3]), 0.34).tolist() == [1, 0, 2]


def test_a_box_left_out_does_not_leave_out_another() -> None:
    chain = np.array([[0, 0, 10, 10], [0, 4, 10, 14], [0, 8, 10, 18]], dtype=np.float32)
    assert nms(chain, np.array([0.9, 0.8, 0.7]), 0.3).tolist() == [0, 2]


def test_of_boxes_that_score_the_same_the_first_is_kept() -> None:
    assert nms(np.repeat(BOXES[:1], 3, axis=0), np.full(3, 0.5), 0.5).tolist() == [0]


def test_old_pixel_areas_count_the_last_pixel() -> None:
    """Rows 0 to 9 and 6 to 15: 3 of 15 by length, but 4 of 16 by pixels."""
    boxes = np.array([[0, 0, 9, 9], [0, 6, 9, 15]], dtype=np.float32)
    scores = np.array([0.9, 0.8])
    assert nms(boxes, scores, 0.22).tolist() == [0, 1]
    assert nms(boxes, scores, 0.22, plus_one=True).tolist() == [0]


def test_boxes_without_area_or_turned_inside_out_leave_out_nobody() -> None:
    boxes = np.array([[5, 5, 5, 5], [9, 9, 1, 1], [0, 0, 10, 10]], dtype=np.float32)
    assert nms(boxes, np.array([0.9, 0.8, 0.7]), 0.1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("plus_one", [False, True])
def test_no_boxes_give_none(plus_one: bool) -> None:
    assert nms(np.empty((0, 4)), np.empty(0), 0.5, plus_one).tolist() == []


@pytest.mark.parametrize("plus_one", [False, True])
def test_it_keeps_what_comparing_pair_by_pair_keeps(plus_one: bool) -> None:
    rng = np.random.default_rng(3)
    low = rng.uniform(0, 60, (80, 2))
    boxes = np.concatenate([low, low + rng.uniform(1, 40, (80, 2))], axis=1)
    scores = rng.random(80)
    kept: list[int] = []
    for candidate in np.argsort(-scores):
        overlaps = [_overlap(boxes[candidate], boxes[other], plus_one) for other in kept]
        if all(overlap <= 0.4 for overlap in overlaps):
            kept.append(int(candidate))
    assert nms(boxes, scores, 0.4, plus_one).tolist() == kept


def _overlap(a: np.ndarray, b: np.ndarray, plus_one: bool) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]) + plus_one)
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]) + plus_one)
    areas = [(box[2] - box[0] + plus_one) * (box[3] - box[1] + plus_one) for box in (a, b)]
    return float(width * height / (sum(areas) - width * height))
