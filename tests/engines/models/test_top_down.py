"""A top-down model's steps: boxes to crops, and their heatmaps to people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from engines.geometry import Pixels
from engines.models.top_down import TopDown, TopDownRule
from engines.people import Floats, People
from engines.skeletons import COCO_17

WIDTH, HEIGHT = 192, 256
PICTURE = np.zeros((300, 400, 3), np.uint8)
INF, NAN = float("inf"), float("nan")

# boxes in which there is nothing of the picture to see
HOPELESS = (
    (50, 50, 0, 80),
    (50, 50, -30, 80),
    (-90, 10, 80, 80),
    (400, 10, 80, 80),
    (50, 3e38, 80, 3e38),
    (NAN, 10, 80, 80),
    (10, 10, INF, 80),
    (-INF, 10, INF, 80),
)


def found(boxes: Sequence[Sequence[float]], scores: Sequence[float] | None = None) -> People:
    return People(
        np.zeros((len(boxes), 0, 3), np.float32),
        np.asarray(scores if scores is not None else np.ones(len(boxes)), np.float32),
        np.array(boxes, np.float32).reshape(-1, 4),
    )


def heat(x: int, y: int, height: float = 0.8) -> Floats:
    """(17, 64, 48): every keypoint at one heatmap pixel."""
    maps = np.zeros((17, HEIGHT // 4, WIDTH // 4), np.float32)
    maps[:, y, x] = height
    return maps


def heat_around(x: float, y: float) -> Floats:
    """(17, 64, 48): every keypoint as a Gaussian of two heatmap pixels."""
    rows, columns = np.mgrid[: HEIGHT // 4, : WIDTH // 4]
    one = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)
    return np.tile(one, (17, 1, 1))


def pose(
    boxes: People,
    network: Callable[[Pixels], Floats] = lambda _: heat(24, 32),
    keep_all: bool = False,
    image: Pixels = PICTURE,
    **rule: float,
) -> People:
    """The people that a network of one crop at a time makes a model see."""
    model = TopDown(COCO_17, WIDTH, HEIGHT, "pose", TopDownRule(**rule))  # type: ignore[arg-type]
    steps = model.steps(image, boxes, keep_all)
    try:
        asked = next(steps)
        assert asked.network == "pose"
        assert asked.inputs.dtype == np.uint8
        steps.send({"heatmaps": np.stack([network(pixels) for pixels in asked.inputs])})
    except StopIteration as stopped:
        people: People = stopped.value
        return people
    raise AssertionError("a second question")


def test_the_middle_of_a_crop_is_the_middle_of_its_box() -> None:
    people = pose(found([(40, 60, 100, 200)]))
    assert people.keypoints.shape == (1, 17, 3)
    assert people.keypoints[0] == pytest.approx(np.tile([90, 160, 0.8], (17, 1)))


def test_all_crops_are_asked_for_at_once() -> None:
    steps = TopDown(COCO_17, WIDTH, HEIGHT).steps(PICTURE, found([(0, 0, 50, 50)] * 5))
    assert next(steps).inputs.shape == (5, HEIGHT, WIDTH, 3)


def test_without_boxes_the_network_is_not_asked() -> None:
    steps = TopDown(COCO_17, WIDTH, HEIGHT).steps(PICTURE, found([]))
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    people = stopped.value.value
    assert (people.keypoints.shape, people.boxes.shape) == ((0, 17, 3), (0, 4))


def test_people_keep_the_boxes_they_were_found_in() -> None:
    boxes = [(-20, -10, 100, 200), (200, 50, 300, 150)]
    people = pose(found(boxes, [0.9, 0.8]))
    assert people.boxes.tolist() == [list(box) for box in boxes]


def test_the_score_is_the_boxes_times_the_mean_of_keypoints_that_are_seen() -> None:
    maps = heat(24, 32)
    maps[:3] *= 0.5
    maps[3:6] *= 0.2  # 0.16: not seen, though placed
    people = pose(found([(40, 60, 100, 200)], [0.5]), lambda _: maps)
    assert people.scores == pytest.approx([0.5 * (3 * 0.4 + 11 * 0.8) / 14])
    assert (people.keypoints[0, :, 2] > 0).all()


def test_scores_end_at_1() -> None:
    assert pose(found([(40, 60, 100, 200)]), lambda _: heat(24, 32, 1.3)).scores == [1]


def test_a_keypoint_whose_heatmap_is_empty_is_missing() -> None:
    maps = heat(24, 32)
    maps[5], maps[6] = 0, np.nan
    people = pose(found([(40, 60, 100, 200)]), lambda _: maps)
    assert people.keypoints[0, 5:7].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert people.scores == pytest.approx([0.8])


def test_people_come_best_first() -> None:
    boxes = found([(0, 0, 60, 80), (200, 0, 60, 80), (0, 200, 60, 80)], [0.3, 0.9, 0.6])
    people = pose(boxes)
    assert people.scores == pytest.approx([0.72, 0.48, 0.24])
    assert people.boxes[:, :2].tolist() == [[200, 0], [0, 200], [0, 0]]


def test_of_two_boxes_around_one_person_the_better_is_kept() -> None:
    twice = found([(40, 60, 100, 200), (42, 61, 100, 200)], [0.6, 0.9])
    assert pose(twice).boxes.tolist() == [[42, 61, 100, 200]]
    assert len(pose(twice, oks_threshold=1.0)) == 2


def test_boxes_that_were_asked_for_are_all_answered_in_their_order() -> None:
    boxes = [(40, 60, 100, 200), (42, 61, 100, 200), (0, 0, 60, 80)]
    people = pose(found(boxes, [0.3, 0.9, 0.6]), keep_all=True)
    assert people.boxes.tolist() == [list(box) for box in boxes]
    assert people.scores == pytest.approx([0.24, 0.72, 0.48])


@pytest.mark.parametrize("box", HOPELESS)
def test_where_a_box_holds_nothing_of_the_picture_there_is_nobody(
    box: tuple[float, ...],
) -> None:
    good = (40, 60, 100, 200)
    assert pose(found([box, good])).boxes.tolist() == [list(good)]
    assert len(pose(found([box]))) == 0


@pytest.mark.parametrize("box", HOPELESS)
def test_such_a_box_is_answered_by_missing_keypoints_if_it_was_asked_for(
    box: tuple[float, ...],
) -> None:
    people = pose(found([box, (40, 60, 100, 200)]), keep_all=True)
    assert not people.keypoints[0].any()
    assert people.scores == pytest.approx([0, 0.8])


@pytest.mark.parametrize("box", [(-1e30, -1e30, 3e38, 3e38), (-5, -7, 405, 3000)])
def test_a_huge_box_is_looked_at_as_the_whole_picture(box: tuple[float, ...]) -> None:
    whole = pose(found([(0, 0, 400, 300)]), lambda _: heat(10, 20))
    np.testing.assert_array_equal(
        pose(found([box]), lambda _: heat(10, 20)).keypoints, whole.keypoints
    )


@pytest.mark.parametrize("box", [(7, 9, 1e-4, 1e-4), (0, 0, 1e-30, 1e-30), (0, 0, 1e-30, 300)])
def test_a_tiny_box_is_looked_at_too(box: tuple[float, ...]) -> None:
    people = pose(found([box]), keep_all=True)
    assert np.isfinite(people.keypoints).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_a_picture_of_any_shape_is_looked_at(shape: tuple[int, int]) -> None:
    whole = found([(0, 0, shape[1], shape[0])])
    assert len(pose(whole, image=np.zeros((*shape, 3), np.uint8))) == 1


def test_the_flip_test_asks_for_the_mirrored_crops_too() -> None:
    picture = np.random.default_rng(2).integers(0, 256, PICTURE.shape, np.uint8)
    boxes = found([(40, 60, 100, 200), (150, 20, 120, 90)])
    upright = next(TopDown(COCO_17, WIDTH, HEIGHT).steps(picture, boxes)).inputs
    rule = TopDownRule(flip=True)
    asked = next(TopDown(COCO_17, WIDTH, HEIGHT, rule=rule).steps(picture, boxes)).inputs
    np.testing.assert_array_equal(asked, np.concatenate([upright, upright[:, :, ::-1]]))


def test_the_flip_test_averages_each_crop_with_its_mirrored_one() -> None:
    """The network sees every keypoint where its crop is bright: left in one, right in the other."""
    picture = PICTURE.copy()
    picture[60:260, 40:60] = picture[60:260, 280:300] = 255

    def seen(pixels: Pixels) -> Floats:
        bright = np.flatnonzero(pixels[HEIGHT // 2, :, 0]).mean() / 4
        return heat_around(bright, 32)

    boxes = found([(40, 60, 100, 200), (200, 60, 100, 200)])
    people = pose(boxes, seen, flip=True, image=picture)
    a_pixel = 1.25 * 200 / (HEIGHT // 4)
    assert people.keypoints[:, 0, 0] == pytest.approx([50, 290], abs=a_pixel / 2)
    assert (people.scores > 0.9).all()  # the peaks of both ways meet


def test_dark_places_keypoints_between_quarters_of_a_heatmap_pixel() -> None:
    maps = heat_around(24.4, 32)
    box = found([(40, 60, 96, 128)])
    a_pixel = 1.25 * 96 / (WIDTH // 4)
    quarter, dark = pose(box, lambda _: maps), pose(box, lambda _: maps, dark=True)
    assert quarter.keypoints[0, 0, 0] == pytest.approx(88 + 0.25 * a_pixel)
    assert dark.keypoints[0, 0, 0] == pytest.approx(88 + 0.4 * a_pixel, abs=0.05)
