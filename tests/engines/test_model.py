"""A model is loaded by its name and finds people in a photograph."""

from __future__ import annotations

import weakref
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.catalog import UnknownModelError
from engines.geometry import Pixels
from engines.loading import load
from engines.model import Model, drive, engines_of, run
from engines.options import Options
from engines.people import People
from engines.runtime.options import EngineOptions
from engines.weights import Store, WeightsError

NAME, POSES, DETECTOR = "lightweight-openpose-int8", "pp-tinypose-256x192", "yolox-nano"

# Where they are seen in the photograph, in pixels; her right is on the picture's left.
FACE = {
    "nose": (223, 124),
    "right_eye": (203, 100),
    "left_eye": (248, 102),
    "right_ear": (176, 116),
    "left_ear": (274, 116),
}


@pytest.fixture(scope="module")
def photograph(astronaut: bytes) -> Pixels:
    decoded = cv2.imdecode(np.frombuffer(astronaut, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(decoded, np.uint8)


def keypoint(model: Model, people: People, name: str, person: int = 0) -> list[float]:
    index = model.entry.skeleton.keypoints.index(name)
    point: list[float] = people.keypoints[person, index].tolist()
    return point


def test_the_astronaut_is_found_with_her_face_where_it_is(model: Model, photograph: Pixels) -> None:
    people = run(model, photograph)
    assert len(people) == 1
    assert people.keypoints.shape == (1, 18, 3)
    for name, place in FACE.items():
        x, y, score = keypoint(model, people, name)
        assert (x, y) == pytest.approx(place, abs=8), name
        assert score > 0.5
    assert people.scores[0] > 0.2


def test_what_is_not_in_the_picture_is_missing(model: Model, photograph: Pixels) -> None:
    people = run(model, photograph)
    for name in ("left_knee", "right_knee", "left_ankle", "right_ankle"):
        assert keypoint(model, people, name) == [0, 0, 0]


def test_a_larger_copy_gives_the_same_person_in_its_own_pixels(
    model: Model, photograph: Pixels
) -> None:
    larger = np.asarray(cv2.resize(photograph, None, fx=2, fy=2), np.uint8)
    people = run(model, larger)
    assert len(people) == 1
    for name, (x, y) in FACE.items():
        assert keypoint(model, people, name)[:2] == pytest.approx((2 * x, 2 * y), abs=16), name


@pytest.mark.parametrize("shape", [(1, 1, 3), (20, 3000, 3), (3000, 20, 3)])
def test_an_empty_picture_of_any_shape_has_nobody(
    shape: tuple[int, int, int], model: Model
) -> None:
    assert len(run(model, np.full(shape, 128, np.uint8))) == 0


def test_the_input_height_can_be_chosen(store: Store, photograph: Pixels) -> None:
    small = load(NAME, store, Options(height=256), EngineOptions(threads=1, max_batch=3))
    assert small.entry.input.height == 256
    assert [engine.max_batch for engine in small.engines.values()] == [3]
    asked = next(small.steps(photograph))
    assert asked.inputs.shape == (1, 256, 256, 3)
    assert len(run(small, photograph)) == 1
    small.close()


def test_loading_fetches_what_is_missing(store: Store, tmp_path: Path) -> None:
    told: set[str] = set()
    fresh = Store(tmp_path, store.mirror)
    model = load(NAME, fresh, progress=lambda name, _, __: told.add(name))
    assert told == {file.name for file in model.entry.files}
    assert fresh.ready(model.entry)
    model.close()


def test_an_unknown_name_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="openpose-9000"):
        load("openpose-9000", Store(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_graph_is_not_built_says_how(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="posewire import lightweight-openpose FILE"):
        load("lightweight-openpose", Store(tmp_path))


HER = (12, 20, 358, 487)  # her box


def assert_face(poses: Model, people: People, person: int = 0) -> None:
    for name, place in FACE.items():
        x, y, score = keypoint(poses, people, name, person)
        assert (x, y) == pytest.approx(place, abs=10), name
        assert score > 0.5


def test_only_a_model_that_needs_boxes_is_top_down(
    model: Model, poses: Model, detector: Model
) -> None:
    assert [one.is_top_down for one in (model, poses, detector)] == [False, True, False]


def test_a_top_down_model_sees_people_in_boxes_in_their_order(
    poses: Model, photograph: Pixels
) -> None:
    boxes = [(400, 0, 100, 100), HER, (2000, 0, 9, 9), (60, 40, 300, 460)]
    people = run(poses, photograph, People.at(boxes))
    assert people.boxes.tolist() == [list(map(float, box)) for box in boxes]
    assert people.keypoints.shape == (4, 17, 3)
    assert people.scores[1] > 0.4
    assert people.scores[3] > 0.4
    assert people.scores[2] == 0
    assert not people.keypoints[2].any()
    assert_face(poses, people, 1)


def test_boxes_for_nobody_are_answered_with_nobody(poses: Model, photograph: Pixels) -> None:
    people = run(poses, photograph, People.at([]))
    assert (people.keypoints.shape, people.boxes.shape) == ((0, 17, 3), (0, 4))


def test_without_boxes_the_whole_image_is_one_person(poses: Model, photograph: Pixels) -> None:
    people = run(poses, photograph)
    assert people.boxes.tolist() == [[0, 0, 512, 512]]
    assert_face(poses, people)


def test_a_detector_finds_a_box_without_keypoints(detector: Model, photograph: Pixels) -> None:
    people = run(detector, photograph)
    assert people.keypoints.shape == (1, 0, 3)
    assert people.boxes[0] == pytest.approx(HER, abs=15)
    assert people.scores[0] > 0.8


def test_a_detector_finds_people_for_a_top_down_model(
    poses: Model, detector: Model, photograph: Pixels
) -> None:
    people = run(poses, photograph, detector)
    assert people.boxes == pytest.approx(run(detector, photograph).boxes)
    assert_face(poses, people)


def test_a_bottom_up_model_finds_people_for_a_top_down_model(
    model: Model, poses: Model, photograph: Pixels
) -> None:
    people = run(poses, photograph, model)
    np.testing.assert_array_equal(people.boxes, run(model, photograph).body_boxes())
    assert_face(poses, people)


def test_the_flip_test_asks_twice_and_sees_the_same_face(
    store: Store, poses: Model, photograph: Pixels
) -> None:
    both = load(POSES, store, Options(flip=True, dark=True))
    found = People.at([HER, HER])
    assert next(poses.steps(photograph, found)).inputs.shape == (2, 256, 192, 3)
    assert next(both.steps(photograph, found)).inputs.shape == (4, 256, 192, 3)
    assert_face(both, run(both, photograph, found))
    both.close()


@pytest.mark.parametrize("finder", ["boxes", "detector", "whole image"])
def test_a_photograph_is_not_kept_while_its_crops_wait(
    finder: str, poses: Model, detector: Model, photograph: Pixels
) -> None:
    finders: dict[str, People | Model | None] = {
        "boxes": People.at([HER]),
        "detector": detector,
        "whole image": None,
    }
    image = photograph.copy()
    kept = weakref.ref(image)
    steps = poses.steps(image, finders[finder])
    del image
    asked = next(steps)
    if finder == "detector":
        asked = steps.send(detector.engines[asked.network].infer(asked.inputs))
    assert asked.network == POSES
    assert kept() is None
    steps.close()


@pytest.mark.parametrize("finder", ["detector", "model"])
def test_where_nobody_is_found_only_the_detector_is_asked(
    finder: str, poses: Model, request: pytest.FixtureRequest
) -> None:
    found: Model = request.getfixturevalue(finder)
    steps = poses.steps(np.full((64, 64, 3), 128, np.uint8), found)
    people = drive(steps, found.engines)
    assert (len(people), people.keypoints.shape) == (0, (0, 17, 3))


def test_the_engines_of_a_model_and_its_detector_are_told_apart(
    model: Model, poses: Model, detector: Model
) -> None:
    assert engines_of(poses, None).keys() == {POSES}
    assert engines_of(poses, detector).keys() == {POSES, DETECTOR}
    assert engines_of(poses, model).keys() == {POSES, NAME}


@pytest.mark.parametrize("name", [NAME, DETECTOR])
def test_a_model_that_finds_people_takes_no_boxes(
    name: str, model: Model, detector: Model, photograph: Pixels
) -> None:
    asked = {NAME: model, DETECTOR: detector}[name]
    for found in (People.at([HER]), People.at([]), detector):
        with pytest.raises(ValueError, match=f"{name} finds people by itself"):
            run(asked, photograph, found)


def test_a_top_down_model_finds_nobody_by_itself(poses: Model, photograph: Pixels) -> None:
    with pytest.raises(ValueError, match=f"{POSES} needs boxes itself"):
        run(poses, photograph, poses)


@pytest.mark.parametrize(
    ("name", "options", "refused"),
    [
        (NAME, Options(flip=True), "flip"),
        (NAME, Options(height=256, dark=True, scales=(1, 2)), "dark, scales"),
        (POSES, Options(height=512), "height"),
        (POSES, Options(flip=True, scales=(0.5, 1)), "scales"),
        (DETECTOR, Options(height=640, flip=True), "flip, height"),
    ],
)
def test_an_option_that_a_model_does_not_take_is_refused_before_anything_is_fetched(
    name: str, options: Options, refused: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f"{name} does not take {refused}: leave it out"):
        load(name, Store(tmp_path), options)
    assert list(tmp_path.iterdir()) == []
