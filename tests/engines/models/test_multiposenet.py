"""MultiPoseNet's steps, driven by hand with drawn maps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from engines.geometry import Pixels
from engines.grouping.anchors import anchors
from engines.models.multiposenet import MultiPoseNet, fit
from engines.people import Floats, People
from engines.skeletons import COCO_17, OPENPOSE_18
from engines.steps import Infer, Steps
from tests.parity.preprocessing.multiposenet import check
from tests.shared import shared

MODEL = MultiPoseNet(COCO_17, height=96)
IMAGE = np.zeros((192, 320, 3), np.uint8)  # half as large in the network's input
Points = Mapping[str, tuple[float, float]]  # by keypoint, in pixels of the picture

CENTRE = {"nose": (151.0, 75.0), "left_eye": (161.0, 67.0), "right_ankle": (143.0, 135.0)}


def draw(people: Mapping[float, Points], image: Pixels = IMAGE) -> dict[str, Floats]:
    """What the network says of people by their box's score; a box is the anchor that fits."""
    prepared = fit(image, MODEL.height)
    height, width = prepared.pixels.shape[:2]
    ys, xs = (np.mgrid[: height // 4, : width // 4] + 0.5) * 4
    heatmaps = np.zeros((18, height // 4, width // 4), np.float32)
    placed = anchors(height, width)
    scores = np.zeros((1, len(placed), 1), np.float32)
    for score, person in people.items():
        points = np.array(list(person.values())) * prepared.scale
        for name, (x, y) in zip(person, points, strict=True):
            heat = 0.8 * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / (2 * 7**2))
            part = OPENPOSE_18.keypoints.index(name)
            heatmaps[part] = np.maximum(heatmaps[part], heat)
        ends = np.concatenate([points.min(axis=0), points.max(axis=0)])
        scores[0, np.abs(placed - ends).sum(axis=1).argmin()] = score
    deltas = np.zeros((1, len(placed), 4), np.float32)
    return {"heatmaps": heatmaps[None], "box_deltas": deltas, "box_scores": scores}


def drive(steps: Steps, maps: Mapping[str, Floats]) -> tuple[list[Infer], People]:
    """What was asked, and the people; the second network answers with its input."""
    asked = [next(steps)]
    answer = dict(maps)
    while True:
        try:
            asked.append(steps.send(answer))
        except StopIteration as stopped:
            return asked, stopped.value
        answer = {"output": np.asarray(asked[-1].inputs, np.float32)}


def moved(person: Points, right: float) -> Points:
    return {name: (x + right, y) for name, (x, y) in person.items()}


def test_a_person_is_found_where_they_are_in_the_picture() -> None:
    asked, people = drive(MODEL.steps(IMAGE), draw({0.9: CENTRE}))
    assert [one.network for one in asked] == ["network", "prn"]
    assert asked[0].inputs.shape == (1, 96, 160, 3)
    assert asked[1].inputs.shape == (1, 56, 36, 17)
    assert asked[1].inputs.dtype == np.float32
    assert people.keypoints.shape == (1, 17, 3)
    for part, name in enumerate(COCO_17.keypoints):
        x, y, score = people.keypoints[0, part]
        if name in CENTRE:
            assert (x, y) == pytest.approx(CENTRE[name], abs=1)
            assert score == pytest.approx(0.8, abs=0.05)
        else:
            assert (x, y, score) == (0, 0, 0)


def test_boxes_are_the_detectors_cut_to_the_picture() -> None:
    narrow = IMAGE[:, :300]  # the input is 320 wide
    maps = draw({0.9: CENTRE, 0.8: moved(CENTRE, 140)}, narrow)
    _, people = drive(MODEL.steps(narrow), maps)
    _, likely, _ = np.nonzero(maps["box_scores"])
    corners = 2 * anchors(96, 160)[sorted(likely, key=lambda one: -maps["box_scores"][0, one, 0])]
    assert corners[1, 2] > 300
    low, high = corners[:, :2], corners[:, 2:].clip(0, [300, 192])
    expected = np.concatenate([low, high - low], axis=1)
    assert people.boxes == pytest.approx(expected, abs=1e-3)


def test_people_come_best_first_by_keypoints_found_and_the_boxes_score() -> None:
    three = {0.7: moved(CENTRE, -100), 0.9: moved(CENTRE, 100), 0.8: CENTRE}
    three[0.8] = {name: CENTRE[name] for name in ("nose", "right_ankle")}
    _, people = drive(MODEL.steps(IMAGE), draw(three))
    assert people.scores == pytest.approx(np.array([3 * 0.9, 3 * 0.7, 2 * 0.8]) / 17)
    assert people.keypoints[:, 0, 0] == pytest.approx([251, 51, 151], abs=1)


def test_a_box_without_keypoints_is_nobody() -> None:
    maps = draw({0.7: moved(CENTRE, -100), 0.9: moved(CENTRE, 100)})
    maps["heatmaps"][:, :, :, 20:] = 0  # the right half
    _, people = drive(MODEL.steps(IMAGE), maps)
    assert people.scores == pytest.approx([3 * 0.7 / 17])


def test_without_anybody_the_second_network_is_not_asked() -> None:
    asked, people = drive(MODEL.steps(IMAGE), draw({}))
    assert len(asked) == 1
    assert people.keypoints.shape == (0, 17, 3)
    assert people.boxes.shape == (0, 4)


def test_the_neck_is_nobodys_keypoint() -> None:
    asked, _ = drive(MODEL.steps(IMAGE), draw({0.9: {"neck": (151, 75), "nose": (161, 95)}}))
    assert np.flatnonzero(asked[1].inputs.any(axis=(0, 1, 2))).tolist() == [0]


def test_heat_beside_the_picture_is_no_keypoint() -> None:
    narrow = IMAGE[:, :300]  # 150 of 160 columns
    _, people = drive(MODEL.steps(narrow), draw({0.9: moved(CENTRE, 120)}, narrow))
    assert people.keypoints[0, 0, 0] == pytest.approx(271, abs=1)
    _, people = drive(MODEL.steps(narrow), draw({0.9: moved(CENTRE, 155)}, narrow))
    assert len(people) == 1
    (found,) = people.keypoints[0, :, 2].nonzero()
    assert [COCO_17.keypoints[part] for part in found] == ["right_ankle"]


def test_a_detector_stops_at_the_boxes() -> None:
    maps = draw({0.7: moved(CENTRE, -100), 0.9: CENTRE})
    _, whole = drive(MODEL.steps(IMAGE), maps)
    asked, people = drive(MODEL.detect(IMAGE), maps)
    assert [one.network for one in asked] == ["network"]
    assert people.keypoints.shape == (2, 0, 3)
    assert people.scores == pytest.approx([0.9, 0.7])
    assert people.boxes.tolist() == whole.boxes.tolist()


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [
        (427, 640, (480, 736)),
        (640, 427, (736, 480)),
        (1, 1, (480, 480)),
        (10, 10_000, (480, 1920)),
        (10_000, 10, (1920, 480)),
        (1, 100_000, (480, 1920)),
    ],
)
def test_the_shorter_side_is_fitted_and_no_input_is_too_large(
    height: int, width: int, shape: tuple[int, int]
) -> None:
    prepared = fit(np.full((height, width, 3), 255, np.uint8), 480)
    assert prepared.pixels.shape == (*shape, 3)
    assert (prepared.pixels[0, 0] == 255).all()
    far = prepared.to_image(np.array([shape[1] - 0.5, shape[0] - 0.5], np.float32))
    assert (far >= np.array([width, height]) * 0.999).all()


def test_the_border_is_grey_and_right_or_below() -> None:
    prepared = fit(np.full((427, 640, 3), 255, np.uint8), 480)
    assert np.unique(prepared.pixels[:, :719]).tolist() == [255]
    assert np.unique(prepared.pixels[:, 719:]).tolist() == [128]


def test_inputs_are_those_of_the_original() -> None:
    figure = check(shared("fixtures/preprocessing/inputs.npz").parents[1])
    assert figure.passed, figure.text
