"""DEKR's steps, driven by hand with drawn maps."""

from __future__ import annotations

import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest

from engines.geometry import Floats, Pixels
from engines.models.dekr import Dekr, place
from engines.people import People
from engines.runtime.engine import Batch
from engines.skeletons import COCO_17
from tests.engines.grouping.dekr_scenes import crowd, draw
from tests.parity.preprocessing.dekr import check_512, check_640
from tests.parity.report import Check
from tests.shared import shared

PLAIN = Dekr(COCO_17, 256, "dekr")
IMAGE = np.random.default_rng(0).integers(0, 256, (375, 500, 3), np.uint8)
INPUT = (384, 256)  # width and height: 341.3 is rounded up
every_shape = pytest.mark.parametrize(
    ("width", "height"),
    [
        *((640, 480), (480, 640), (500, 500), (501, 333), (1, 1), (65_000, 20), (20, 65_000)),
        *((4000, 1000), (4001, 1000)),
    ],
)


def drive(model: Dekr, people: Floats, image: Pixels = IMAGE) -> tuple[list[Batch], People]:
    """What the model asked for, and its answer to maps of `people` (P, 17, 2) on the input."""
    steps, asked = model.steps(image), []
    infer = next(steps)
    while True:
        assert infer.network == model.network
        asked.append(infer.inputs)
        scale = infer.inputs.shape[1] / INPUT[1]
        drawn = draw(people, COCO_17, size=INPUT, scale=scale, flip=model.flip)
        try:
            infer = steps.send({"heatmaps": drawn.heatmaps, "offsets": drawn.offsets})
        except StopIteration as stopped:
            answer: People = stopped.value
            return asked, answer


def person() -> Floats:
    found: Floats = crowd(1, COCO_17, INPUT, seed=3)
    return found


def on_image(points: Floats) -> Floats:
    """By OpenCV's own inverse of the affine that brought the picture to the input."""
    zoom = 256 / 375
    affine = np.array([[zoom, 0, 192 - zoom * 250], [0, zoom, 128 - zoom * 188]])
    return np.asarray(cv2.transform(points, cv2.invertAffineTransform(affine)), np.float32)


@pytest.mark.parametrize("check", [check_512, check_640], ids=["512", "640"])
def test_inputs_are_those_of_the_original(check: Check) -> None:
    figure = check(shared("fixtures"))
    assert figure.passed, figure.text


@every_shape
@pytest.mark.parametrize("short_side", [256, 500])
def test_an_input_has_multiples_of_64_and_is_never_longer_than_four_times(
    width: int, height: int, short_side: int
) -> None:
    placement = place(width, height, short_side)
    sides = placement.warp(np.zeros((height, width, 3), np.uint8)).shape[:2]
    assert placement.size == sides[::-1]
    assert min(sides) == {256: 256, 500: 512}[short_side]
    assert max(sides) <= 4 * min(sides)
    assert max(sides) % 64 == 0
    assert (sides[0] > sides[1]) is (height > width)


@every_shape
def test_the_whole_picture_is_on_the_input_and_its_middle_in_the_middle(
    width: int, height: int
) -> None:
    placement = place(width, height, 256)
    corners = np.array([[0, 0], [width, height]]) * placement.zoom + placement.offset
    slack = placement.zoom / 2 + 1  # the authors' middle is a whole pixel; their sizes, too
    assert (corners[0] >= -slack).all()
    assert (corners[1] <= np.array(placement.size) + slack).all()
    assert corners.mean(axis=0) == pytest.approx(np.array(placement.size) / 2, abs=slack)


def test_what_is_around_the_picture_is_black() -> None:
    placement = place(1200, 100, 256)
    pixels = placement.warp(np.full((100, 1200, 3), 200, np.uint8))
    top, bottom = 128 - 0.5 * 100 * placement.zoom, 128 + 0.5 * 100 * placement.zoom
    assert (pixels[: int(top) - 1] == 0).all()
    assert (pixels[int(bottom) + 2 :] == 0).all()
    assert (pixels[130, 2:-2] == 200).all()


def test_one_input_is_asked_for_and_its_person_is_put_on_the_image() -> None:
    people = person()
    asked, found = drive(PLAIN, people)
    assert [inputs.shape for inputs in asked] == [(1, 256, 384, 3)]
    assert len(found) == 1
    assert found.keypoints[:, :, :2] == pytest.approx(on_image(people), abs=0.01)
    assert 0 < found.scores[0] <= 1


@pytest.mark.parametrize("scale", [0.5, 1, 2])
def test_the_flip_test_asks_for_the_mirrored_picture_with_map_pixels_upon_map_pixels(
    scale: float,
) -> None:
    asked, _ = drive(replace(PLAIN, flip=True, scales=(1.0, 0.5, 2.0)), person())
    (inputs,) = (one for one in asked if one.shape[1] == 256 * scale)
    assert inputs.dtype == np.uint8
    plain, mirrored = inputs
    width = plain.shape[1]
    for column in range(0, width, 4):
        assert (mirrored[:, 4 * (width // 4 - 1 - column // 4)] == plain[:, column]).all()


def test_inputs_of_several_scales_are_asked_for_in_turn() -> None:
    people = person()
    asked, found = drive(replace(PLAIN, scales=(0.5, 1.0, 2.0)), people)
    assert [inputs.shape for inputs in asked] == [
        (1, 128, 192, 3),
        (1, 256, 384, 3),
        (1, 512, 768, 3),
    ]
    assert found.keypoints[:, :, :2] == pytest.approx(on_image(people), abs=0.01)


def test_no_keypoint_is_missing_where_there_is_no_heat() -> None:
    people = person()
    steps = PLAIN.steps(IMAGE)
    next(steps)
    drawn = draw(people, COCO_17, size=INPUT)
    drawn.heatmaps[:, 5] = -0.001
    with pytest.raises(StopIteration) as stopped:
        steps.send({"heatmaps": drawn.heatmaps, "offsets": drawn.offsets})
    keypoint = stopped.value.value.keypoints[0, 5]
    assert keypoint[:2] == pytest.approx(on_image(people)[0, 5], abs=0.01)
    assert 0 < keypoint[2] < 0.001


def test_nobody_is_found_on_empty_maps() -> None:
    _, found = drive(PLAIN, crowd(0, COCO_17))
    assert len(found) == 0


def test_the_rescoring_network_has_the_last_word() -> None:
    """One that expects a similarity of 0.25 whatever it sees."""
    sizes: dict[str, tuple[int, ...]] = {
        "l1.weight": (256, 74),
        "l1.bias": (256,),
        "l2.weight": (256, 256),
        "l2.bias": (256,),
        "l3.weight": (1, 256),
        "l3.bias": (1,),
    }
    layers = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
    layers["l3.bias"][0] = 0.25
    _, before = drive(PLAIN, person())
    _, after = drive(replace(PLAIN, rescoring=layers), person())
    assert after.scores == pytest.approx(0.25 * before.scores)


@pytest.mark.parametrize("scales", [(), (0.5, 2.0), (1.0, 0.75), (1.0, -1.0)])
def test_scales_that_cannot_be_had_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"multiples of 0\.5"):
        replace(PLAIN, scales=scales)


def test_the_photograph_is_not_kept_while_its_input_waits() -> None:
    image = IMAGE.copy()
    kept = weakref.ref(image)
    steps = PLAIN.steps(image)
    next(steps)
    del image
    assert kept() is None
