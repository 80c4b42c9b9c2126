"""YOLOX's steps: a picture in a corner of a square, and cells of grids to boxes of people."""

from __future__ import annotations

import numpy as np
import pytest

from engines.geometry import Pixels
from engines.models.yolox import YoloX, YoloXRule
from engines.people import Floats, People

SIZE = 64
STRIDES = (8, 16, 32)
NOWHERE = np.zeros((84, 85), np.float32)  # 8 x 8, 4 x 4 and 2 x 2 cells


def row(stride: int, column: int, line: int) -> int:
    """Where the cell of a stride's grid stands among the detections."""
    before = sum((SIZE // finer) ** 2 for finer in STRIDES if finer < stride)
    return before + line * (SIZE // stride) + column


def detections(*people: tuple[int, tuple[float, float, float, float], float]) -> Floats:
    """Of people as (stride, (centre x, centre y, width, height) in input pixels, score)."""
    found = NOWHERE.copy()
    for stride, (x, y, width, height), score in people:
        column, line = int(x / stride), int(y / stride)
        place = (x / stride - column, y / stride - line)
        found[row(stride, column, line), :6] = *place, *np.log((width, height)), 0.5, 2 * score
        found[row(stride, column, line), 2:4] -= np.log(stride)
    return found


def black(height: int, width: int) -> Pixels:
    return np.zeros((height, width, 3), np.uint8)


def people_of(image: Pixels, found: Floats, **rule: float) -> People:
    steps = YoloX("detector", SIZE, YoloXRule(**rule)).steps(image)  # type: ignore[arg-type]
    next(steps)
    with pytest.raises(StopIteration) as stopped:
        steps.send({"detections": found[None]})
    people: People = stopped.value.value
    return people


def test_the_picture_lies_in_the_top_left_corner_of_a_grey_square() -> None:
    asked = next(YoloX("detector", SIZE).steps(np.full((100, 200, 3), 7, np.uint8)))
    assert asked.network == "detector"
    assert asked.inputs.shape == (1, SIZE, SIZE, 3)
    assert asked.inputs.dtype == np.uint8
    assert (asked.inputs[0, :32] == 7).all()
    assert (asked.inputs[0, 32:] == 114).all()


@pytest.mark.parametrize("stride", STRIDES)
def test_a_cell_of_every_grid_is_a_box_in_the_pictures_pixels(stride: int) -> None:
    people = people_of(black(128, 96), detections((stride, (20, 38, 10, 20), 0.6)))
    assert people.boxes == pytest.approx(np.array([[30, 56, 20, 40]]), abs=1e-3)
    assert people.scores == pytest.approx([0.6])
    assert people.keypoints.shape == (1, 0, 3)


def test_people_come_best_first() -> None:
    found = detections((8, (10, 20, 8, 20), 0.4), (8, (50, 20, 8, 20), 0.8))
    people = people_of(black(64, 64), found)
    assert people.scores == pytest.approx([0.8, 0.4])
    assert people.boxes[:, 0] == pytest.approx([46, 6])


def test_of_cells_that_found_the_same_person_the_best_counts() -> None:
    found = detections((8, (30, 30, 20, 40), 0.4), (16, (31, 31, 20, 40), 0.8))
    assert people_of(black(64, 64), found).scores == pytest.approx([0.8])
    assert len(people_of(black(64, 64), found, overlap=0.95)) == 2


def test_what_scores_too_little_or_is_no_person_is_left_out() -> None:
    found = detections((8, (30, 30, 20, 40), 0.09))
    found[row(16, 1, 1), 4:7] = 0.9, 0.01, 0.9  # a bicycle
    people = people_of(black(64, 64), found)
    assert len(people) == 0
    assert (people.keypoints.shape, people.boxes.shape) == ((0, 0, 3), (0, 4))


def test_no_more_people_than_allowed_are_found() -> None:
    found = detections(*((8, (8.0 * i + 4, 20, 6, 20), 0.2 + i / 10) for i in range(5)))
    people = people_of(black(64, 64), found, max_people=3)
    assert people.scores == pytest.approx([0.6, 0.5, 0.4])


def test_boxes_end_where_the_picture_does() -> None:
    people = people_of(black(32, 64), detections((16, (60, 30, 40, 60), 0.9)))
    assert people.boxes == pytest.approx(np.array([[40, 0, 24, 32]]), abs=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
def test_a_picture_of_any_shape_has_an_input_and_nobody(shape: tuple[int, int]) -> None:
    assert len(people_of(black(*shape), NOWHERE)) == 0


def test_as_a_detector_it_does_the_same() -> None:
    found = {"detections": detections((8, (30, 30, 20, 40), 0.5))[None]}
    boxes = []
    for start in (YoloX("detector", SIZE).steps, YoloX("detector", SIZE).detect):
        steps = start(black(64, 64))
        next(steps)
        with pytest.raises(StopIteration) as stopped:
            steps.send(found)
        boxes.append(stopped.value.value.boxes)
    np.testing.assert_array_equal(*boxes)
