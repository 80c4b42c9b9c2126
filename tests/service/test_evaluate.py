"""COCO keypoint accuracy is measured on annotated pictures, and wrong annotations are named."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engines.loading import load
from engines.model import Model
from engines.options import Options
from engines.weights import Store
from service.evaluate import evaluate
from tests.service.lights import BOXES, PICTURE, POSES, Box, Eyes, detecting, seeing
from tests.service.pictures import encode, picture
from tests.shared import shared

FIGURES = {"AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL"}


def coco(*people: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """The annotations of one picture, `a.png`."""
    return {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 24}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": list(people),
        **changed,
    }


def annotated(keypoints: Sequence[tuple[float, float, int]], side: float) -> dict[str, Any]:
    return {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "iscrowd": 0,
        "area": side * side,
        "bbox": [0, 0, side, side],
        "num_keypoints": sum(visible > 0 for *_, visible in keypoints),
        "keypoints": [value for keypoint in keypoints for value in keypoint],
    }


UNSEEN = annotated([(1, 1, 2)] * 17, 300)


def write(folder: Path, content: object) -> Path:
    (folder / "a.png").write_bytes(encode(picture(), "PNG"))
    path = folder / "annotations.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def test_the_quantised_model_is_as_good_as_the_originals_decoding(model: Model) -> None:
    annotations = shared("coco-mini/person_keypoints_val2017.json")
    figures = evaluate(model, annotations, shared("coco-mini/images"))
    assert model.entry.input.height == 368
    assert figures["AP"] >= 0.47
    assert figures["AP50"] >= figures["AP75"]
    assert figures["images"] == 65
    assert figures["people"] >= 60
    assert figures.keys() == FIGURES | {"images", "people"}


def test_a_right_person_scores_one(model: Model, astronaut: bytes, tmp_path: Path) -> None:
    face = [(223, 124, 2), (248, 102, 2), (203, 100, 2), (274, 116, 2), (176, 116, 2)]
    truth = coco(
        annotated(face + [(0, 0, 0)] * 12, 400), images=[{"id": 1, "file_name": "astronaut.jpg"}]
    )
    (tmp_path / "astronaut.jpg").write_bytes(astronaut)
    figures = evaluate(model, write(tmp_path, truth), tmp_path)
    assert figures["AP"] == pytest.approx(1, abs=0.11)
    assert figures["AP50"] == 1
    assert (figures["images"], figures["people"]) == (1, 1)


def test_pictures_without_people_score_nothing(model: Model, tmp_path: Path) -> None:
    figures = evaluate(model, write(tmp_path, coco(UNSEEN)), tmp_path)
    assert figures == dict.fromkeys(FIGURES, 0.0) | {"images": 1, "people": 0}


def test_every_picture_is_tracked(model: Model, tmp_path: Path) -> None:
    tracked: list[str] = []

    def track(pictures: Sequence[Any]) -> Iterable[Any]:
        for one in pictures:
            tracked.append(one["file_name"])
            yield one

    evaluate(model, write(tmp_path, coco(UNSEEN)), tmp_path, track)
    assert tracked == ["a.png"]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        [],
        {},
        coco(images=[]),
        coco({"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}),
        coco(UNSEEN, images=[{"id": 1}]),
        coco(UNSEEN, images=[{"file_name": "a.png"}]),
        coco(UNSEEN, annotations=[1]),
        coco({**UNSEEN, "keypoints": [1, 1, 2]}),
        coco({**UNSEEN, "bbox": [1, 2, 3]}),
        coco({**UNSEEN, "bbox": None}),
        coco({name: value for name, value in UNSEEN.items() if name != "bbox"}),
        coco({name: value for name, value in UNSEEN.items() if name != "image_id"}),
        {name: value for name, value in coco(UNSEEN).items() if name != "categories"},
    ],
    ids=[
        *("empty", "no JSON", "a list", "no keys", "no images", "boxes only"),
        *("an image without a file", "an image without an id", "a number for a person"),
        *("other keypoints", "another box", "null for a box", "no box", "no image"),
        "no categories",
    ],
)
def test_what_is_not_cocos_keypoints_is_refused_by_its_name(
    content: object, model: Model, tmp_path: Path
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(ValueError, match="is not a COCO person keypoints file") as failed:
        evaluate(model, path, tmp_path)
    assert str(path) in str(failed.value)


def test_a_model_without_cocos_keypoints_is_refused(detector: Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"yolox-nano .*lacks COCO's keypoints"):
        evaluate(detector, write(tmp_path, coco(UNSEEN)), tmp_path)


def test_a_missing_file_is_named(model: Model, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.json"):
        evaluate(model, tmp_path / "absent.json", tmp_path)
    path = write(tmp_path, coco(UNSEEN))
    (tmp_path / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png"):
        evaluate(model, path, tmp_path)


@pytest.fixture(scope="module")
def in_true_boxes(poses: Model) -> dict[str, float]:
    """Figures of a top-down model with annotated boxes."""
    annotations = shared("coco-mini/person_keypoints_val2017.json")
    return evaluate(poses, annotations, shared("coco-mini/images"), true_boxes=True)


def test_a_top_down_model_is_as_good_as_its_authors_decoding(
    in_true_boxes: dict[str, float],
) -> None:
    assert in_true_boxes["AP"] >= 0.63
    assert (in_true_boxes["images"], in_true_boxes["people"]) == (65, 66)


def test_a_detectors_boxes_are_almost_as_good_as_true_ones(poses: Model, detector: Model) -> None:
    annotations = shared("coco-mini/person_keypoints_val2017.json")
    figures = evaluate(poses, annotations, shared("coco-mini/images"), detector=detector)
    assert figures["AP"] >= 0.61
    assert figures["people"] > 66


def test_the_flip_test_makes_it_no_worse(store: Store, in_true_boxes: dict[str, float]) -> None:
    flipping = load(POSES, store, Options(flip=True))
    annotations = shared("coco-mini/person_keypoints_val2017.json")
    figures = evaluate(flipping, annotations, shared("coco-mini/images"), true_boxes=True)
    flipping.close()
    assert figures["AP"] >= in_true_boxes["AP"]


def lit(box: Box, **changed: Any) -> dict[str, Any]:
    """Somebody in one of the lights, where the eyes see all keypoints: in the middle."""
    x, y, width, height = box
    keypoints = [x + width / 2, y + height / 2, 2] * 17
    area = {"bbox": list(box), "area": width * height, "keypoints": keypoints}
    return {**annotated([(1, 1, 2)] * 17, 1), **area, "id": BOXES.index(box) + 1, **changed}


def look(folder: Path, *people: dict[str, Any], **how: Any) -> tuple[dict[str, float], Eyes]:
    """Figures of eyes that look at the lights, of which these are annotated."""
    eyes = Eyes(64)
    path = write(folder, coco(*people, images=[{"id": 1, "file_name": "lights.png"}]))
    (folder / "lights.png").write_bytes(PICTURE)
    return evaluate(seeing(eyes), path, folder, **how), eyes


def test_true_boxes_are_those_of_people_with_keypoints(tmp_path: Path) -> None:
    crowd = lit(BOXES[2], iscrowd=1)
    unseen = lit(BOXES[3], keypoints=[0] * 51, num_keypoints=0)
    figures, eyes = look(tmp_path, lit(BOXES[0]), lit(BOXES[1]), crowd, unseen, true_boxes=True)
    assert (figures["people"], eyes.batches) == (2, [2])
    assert figures["AR50"] == 1


def test_true_boxes_of_a_picture_without_people_are_none(tmp_path: Path) -> None:
    figures, eyes = look(tmp_path, lit(BOXES[0], image_id=2), true_boxes=True)
    assert (figures["people"], eyes.batches) == (0, [])


def test_a_detectors_boxes_take_the_place_of_the_annotated_ones(tmp_path: Path) -> None:
    figures, eyes = look(tmp_path, lit(BOXES[0]), detector=detecting(*BOXES[1:]))
    assert (figures["people"], eyes.batches) == (3, [3])
    assert figures["AP"] == 0


def test_true_boxes_go_before_a_detector(tmp_path: Path) -> None:
    detector = detecting(*BOXES[1:])
    figures, _ = look(tmp_path, lit(BOXES[0]), detector=detector, true_boxes=True)
    assert (figures["people"], figures["AP"]) == (1, 1)


def test_without_a_detector_the_whole_image_is_looked_at(tmp_path: Path) -> None:
    figures, eyes = look(tmp_path, lit(BOXES[0]))
    assert (figures["people"], eyes.batches) == (1, [1])


def test_true_boxes_are_nothing_for_a_model_that_finds_people(model: Model, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finds people by itself"):
        evaluate(model, write(tmp_path, coco(UNSEEN)), tmp_path, true_boxes=True)
