"""Files are found, predicted, drawn and told one by one."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from engines.model import Model
from engines.weights import Store
from service.cli import app
from service.errors import BadImageError, ImageTooLargeError
from service.pictures import pictures
from service.predict import Predictor
from service.settings import Settings
from tests.service.lights import BOXES, PICTURE, SCORES, WHOLE, Eyes, detecting, seeing
from tests.service.pictures import encode, picture


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory, astronaut: bytes) -> Path:
    path = tmp_path_factory.mktemp("photographs") / "astronaut.jpg"
    path.write_bytes(astronaut)
    return path


def predictor(
    model: Model,
    out: Path | None = None,
    min_score: float = 0.0,
    max_bytes: int = 2**20,
    detector: Model | None = None,
) -> Predictor:
    return Predictor(model, Settings(max_bytes=max_bytes), out, min_score, detector=detector)


@pytest.fixture
def lights(tmp_path: Path) -> Path:
    (tmp_path / "lights.png").write_bytes(PICTURE)
    return tmp_path / "lights.png"


def test_a_folder_stands_for_the_pictures_in_it(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "c.webp", "d.bmp", "e.jpeg", "notes.txt", "film.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "f.jpg").touch()
    found = [path.name for path in pictures([tmp_path])]
    assert found == ["a.png", "b.JPG", "c.webp", "d.bmp", "e.jpeg"]


def test_a_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    named = [tmp_path / "notes.txt", tmp_path, tmp_path / "absent"]
    assert list(pictures(named)) == [named[0], tmp_path / "a.png", named[2]]


def test_a_prediction_is_one_line_of_the_native_json(model: Model, photograph: Path) -> None:
    line = predictor(model).predict(photograph).as_json()
    told = json.loads(line)
    assert "\n" not in line
    assert told["path"] == str(photograph)
    assert (told["model"], told["skeleton"]) == (model.entry.name, "openpose-18")
    assert told["image"] == {"width": 512, "height": 512}
    (person,) = told["people"]
    assert len(person["keypoints"]) == 18
    assert len(person["box"]) == 4
    assert told["timings_ms"]["total"] > 0


def test_people_are_drawn_on_a_copy_in_the_folder(
    model: Model, photograph: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "folder"
    before = photograph.read_bytes()
    done = predictor(model, out).predict(photograph)
    assert done.drawn == out / "astronaut.jpg"
    assert done.as_text() == f"{photograph}: 1 person, drawn in {done.drawn}"
    drawn = cv2.imread(str(done.drawn))
    original = cv2.imread(str(photograph))
    assert drawn is not None
    assert original is not None
    assert drawn.shape == original.shape
    changed = np.abs(drawn.astype(int) - original).max(axis=2) > 100
    assert changed[100:150, 150:300].any(), "her face"
    assert not changed[:60].any(), "above her"
    assert photograph.read_bytes() == before


def test_without_a_folder_nothing_is_drawn(model: Model, photograph: Path) -> None:
    done = predictor(model).predict(photograph)
    assert done.drawn is None
    assert done.as_text() == f"{photograph}: 1 person"


def test_people_below_the_score_are_left_out(model: Model, photograph: Path) -> None:
    done = predictor(model, min_score=0.99).predict(photograph)
    assert done.as_text() == f"{photograph}: 0 people"


def test_pictures_of_the_same_name_are_drawn_beside_each_other(
    model: Model, tmp_path: Path
) -> None:
    files = [tmp_path / folder / name for folder in "ab" for name in ("x.png", "x.bmp")]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(encode(picture(), {".png": "PNG", ".bmp": "BMP"}[file.suffix]))
    one = predictor(model, tmp_path / "out")
    drawn = [one.predict(file).drawn for file in files]
    assert len(set(drawn)) == len(files)
    assert len(list((tmp_path / "out").iterdir())) == len(files)


def test_drawing_into_the_folder_of_the_pictures_spares_every_one_of_them(
    store: Store, astronaut: bytes, tmp_path: Path
) -> None:
    originals = {"a.jpg": astronaut}
    originals |= {f"a.{kind.lower()}": encode(picture(), kind) for kind in ("BMP", "PNG")}
    for name, data in originals.items():
        (tmp_path / name).write_bytes(data)
    weights = {"POSEWIRE_CACHE": str(store.cache), "POSEWIRE_MIRROR": str(store.mirror)}
    command = ["predict", str(tmp_path), "--out", str(tmp_path), "--height", "256"]
    assert CliRunner().invoke(app, command, env=weights).exit_code == 0
    assert {name: (tmp_path / name).read_bytes() for name in originals} == originals
    assert len(list(tmp_path.iterdir())) == 2 * len(originals)


def test_what_is_no_picture_is_an_error_of_its_own(model: Model, tmp_path: Path) -> None:
    one = predictor(model, tmp_path / "out")
    (tmp_path / "notes.txt").write_text("not a picture")
    with pytest.raises(BadImageError):
        one.predict(tmp_path / "notes.txt")
    with pytest.raises(FileNotFoundError):
        one.predict(tmp_path / "absent.jpg")
    assert not (tmp_path / "out").exists()


def test_the_limits_are_those_of_the_settings(model: Model, photograph: Path) -> None:
    with pytest.raises(ImageTooLargeError):
        predictor(model, max_bytes=1000).predict(photograph)


def test_a_detector_finds_people_for_a_top_down_model(lights: Path) -> None:
    done = predictor(seeing(Eyes()), detector=detecting(*BOXES[:2])).predict(lights)
    told = json.loads(done.as_json())
    assert [tuple(person["box"]) for person in told["people"]] == [BOXES[1], BOXES[0]]
    scores = [SCORES[1], SCORES[0]]
    assert [person["score"] for person in told["people"]] == pytest.approx(scores, abs=1e-4)


def test_without_a_detector_the_whole_image_is_one_person(lights: Path) -> None:
    done = predictor(seeing(Eyes())).predict(lights)
    assert done.as_text() == f"{lights}: 1 person"
    assert done.estimate.people.boxes.tolist() == [list(WHOLE)]


def test_people_that_a_detector_does_not_find_are_not_drawn(lights: Path, tmp_path: Path) -> None:
    eyes = Eyes()
    done = predictor(seeing(eyes), tmp_path / "out", detector=detecting()).predict(lights)
    assert done.as_text().startswith(f"{lights}: 0 people, drawn in ")
    assert eyes.batches == []


def test_a_detectors_boxes_are_drawn_and_told(lights: Path, tmp_path: Path) -> None:
    done = predictor(detecting(BOXES[0]), tmp_path / "out").predict(lights)
    assert json.loads(done.as_json())["people"] == [
        {"score": 1, "box": list(BOXES[0]), "keypoints": []}
    ]
    drawn, before = (cv2.imread(str(path)) for path in (done.drawn, lights))
    assert drawn is not None
    assert before is not None
    changed = np.abs(drawn.astype(int) - before).max(axis=2) > 40
    left, top, right, bottom = (int(side) for side in (10, 8, 26, 32))
    assert changed[top, left:right].all()
    assert changed[top:bottom, right].all()
    assert not changed[:, 70:].any()
