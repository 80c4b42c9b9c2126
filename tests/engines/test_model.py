"""A model is loaded by its name and finds people in a photograph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.catalog import UnknownModelError
from engines.geometry import Pixels
from engines.model import Model, load, run
from engines.options import Options
from engines.people import People
from engines.weights import Store, WeightsError

NAME = "lightweight-openpose-int8"

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


def keypoint(model: Model, people: People, name: str) -> list[float]:
    point: list[float] = people.keypoints[0, model.entry.skeleton.keypoints.index(name)].tolist()
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
    small = load(NAME, store, Options(height=256), threads=1, max_batch=3)
    assert small.entry.input.height == 256
    assert [engine.max_batch for engine in small.engines.values()] == [3]
    asked = next(small.steps(photograph))
    assert asked.inputs.shape == (1, 256, 256, 3)
    assert len(run(small, photograph)) == 1
    small.close()


def test_loading_fetches_what_is_missing(store: Store, tmp_path: Path) -> None:
    told: set[str] = set()
    fresh = Store(tmp_path, store.mirror)
    model = load(NAME, fresh, threads=1, progress=lambda name, _, __: told.add(name))
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
