"""Files of keypoints become samples, and say what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engines.skeletons import BODY_25, COCO_17, MPII_16, OPENPOSE_18
from tests.shared import shared
from training.data.coco import read
from training.data.sample import AnyOf, Sample, pictures

NAMES = OPENPOSE_18.keypoints
SHOULDERS = {"left_shoulder": (30, 20, 2), "right_shoulder": (20, 24, 1)}
BODY = {**SHOULDERS, "left_hip": (28, 44, 2), "nose": (26, 10, 2)}


def annotation(keypoints: Mapping[str, tuple[float, float, int]], **others: Any) -> dict[str, Any]:
    values = [value for name in COCO_17.keypoints for value in keypoints.get(name, (0, 0, 0))]
    whole = {"image_id": 1, "keypoints": values, "bbox": [16, 6, 20, 40], "area": 500}
    return {**whole, "iscrowd": 0, **others}


def write(folder: Path, *people: dict[str, Any]) -> Path:
    """A file of one picture, 64 x 48 pixels, and of these people."""
    cv2.imwrite(str(folder / "one.png"), np.full((48, 64, 3), 200, np.uint8))
    picture = {"id": 1, "file_name": "one.png", "width": 64, "height": 48}
    path = folder / "keypoints.json"
    path.write_text(json.dumps({"images": [picture], "annotations": people}), "utf-8")
    return path


def sample(folder: Path, *people: dict[str, Any], **options: Any) -> Sample:
    (only,) = read(write(folder, *people), folder, OPENPOSE_18, **options)
    return only


def names(bits: int) -> set[str]:
    return {name for part, name in enumerate(NAMES) if bits >> part & 1}


def test_keypoints_are_in_the_skeletons_order_with_the_neck_between_the_shoulders(
    tmp_path: Path,
) -> None:
    person = sample(tmp_path, annotation(BODY)).people[0]
    labelled = {NAMES[part]: tuple(row) for part, row in enumerate(person.tolist()) if row[2]}
    assert labelled == {**BODY, "neck": (25, 22, 1)}


def test_there_is_no_neck_without_both_shoulders(tmp_path: Path) -> None:
    person = sample(tmp_path, annotation({"left_shoulder": (30, 20, 2), "nose": (26, 10, 2)}))
    assert person.people[0, NAMES.index("neck")].tolist() == [0, 0, 0]


def test_hips_have_a_middle_where_the_skeleton_has_one(tmp_path: Path) -> None:
    hips = {"left_hip": (28.0, 44.0, 2), "right_hip": (20.0, 40.0, 2)}
    (read_,) = read(write(tmp_path, annotation(hips)), tmp_path, BODY_25)
    middle = BODY_25.keypoints.index("mid_hip")
    assert read_.people[0, middle].tolist() == [24, 42, 2]


def test_boxes_and_areas_go_with_the_people(tmp_path: Path) -> None:
    both = sample(tmp_path, annotation(BODY), annotation(SHOULDERS, bbox=[1, 2, 3, 4], area=7))
    assert both.boxes.tolist() == [[16, 6, 20, 40], [1, 2, 3, 4]]
    assert both.areas.tolist() == [500, 7]


def test_nothing_counts_in_a_crowd_or_in_somebody_without_keypoints(tmp_path: Path) -> None:
    runs = {"size": [48, 64], "counts": [48 * 60, 48 * 4]}  # the last four columns
    crowd = annotation(SHOULDERS, iscrowd=1, segmentation=runs)
    outlined = annotation({}, segmentation=[[4, 30, 12, 30, 12, 40, 4, 40]])
    boxed = annotation({}, bbox=[40, 4, 6, 8])
    read_ = sample(
        tmp_path, annotation(BODY), crowd, outlined, boxed, annotated=OPENPOSE_18.keypoints
    )
    assert len(read_.people) == 1
    counts = read_.scene().counts
    assert counts[:, 60:].max() == counts[30:40, 4:12].max() == counts[4:12, 40:46].max() == 0
    assert (counts == 0).sum() == 48 * 4 + 10 * 8 + 8 * 6
    assert names(counts[0, 0]) == set(NAMES)


def test_keypoints_that_nobody_has_are_taken_as_not_annotated(tmp_path: Path) -> None:
    read_ = sample(tmp_path, annotation(SHOULDERS), annotation({"nose": (26, 10, 1)}))
    assert names(read_.annotated) == {"left_shoulder", "right_shoulder", "neck", "nose"}
    assert names(read_.scene().counts[40, 60]) == names(read_.annotated)


def test_where_not_everybody_is_annotated_only_what_somebody_has_counts_in_their_box(
    tmp_path: Path,
) -> None:
    other = annotation({"left_knee": (50, 40, 2)}, bbox=[34, 30, 30, 30])
    counts = sample(tmp_path, annotation(BODY), other, everyone=False).scene().counts
    assert names(counts[20, 20]) == {*BODY, "neck"}
    assert names(counts[46, 62]) == {"left_knee"}
    assert names(counts[40, 35]) == {*BODY, "neck", "left_knee"}
    counts[6:47, 16:37] = counts[30:, 34:] = 0
    assert counts.max() == 0


def test_keypoints_outside_of_the_picture_are_not_labelled(tmp_path: Path) -> None:
    read_ = sample(tmp_path, annotation({**BODY, "left_ankle": (30, 48, 2)}))
    assert read_.people[0, NAMES.index("left_ankle"), 2] == 2
    assert read_.scene().people[0, NAMES.index("left_ankle")].tolist() == [0, 0, 0]


def test_a_picture_is_what_is_in_the_file(tmp_path: Path) -> None:
    drawn = sample(tmp_path, annotation(BODY)).scene()
    assert drawn.size == (64, 48)
    assert (drawn.pixels == 200).all()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "not a COCO person keypoints file, at the file"),
        ('{"images": [], "annotations": []}', "file, at images"),
        ("[]", "file, at the file"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=fault):
        read(path, tmp_path, OPENPOSE_18)


def test_a_person_with_other_keypoints_is_named(tmp_path: Path) -> None:
    short = {**annotation(BODY), "keypoints": [1, 2, 2]}
    with pytest.raises(ValueError, match=r"at annotations\.1\.keypoints: .* at least 51 items"):
        read(write(tmp_path, annotation(BODY), short), tmp_path, OPENPOSE_18)


def test_a_file_without_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no keypoint that is labelled"):
        read(write(tmp_path, annotation({})), tmp_path, OPENPOSE_18)


def test_a_skeleton_without_cocos_keypoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mpii-16 lacks COCO's keypoints"):
        read(write(tmp_path, annotation(BODY)), tmp_path, MPII_16)


def test_an_unknown_name_of_a_keypoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no tail; its keypoints are nose, neck"):
        sample(tmp_path, annotation(BODY), annotated=["nose", "tail"])


def test_pictures_that_are_missing_spoilt_or_of_another_size_say_so(tmp_path: Path) -> None:
    read_ = sample(tmp_path, annotation(BODY))
    cv2.imwrite(str(read_.path), np.zeros((24, 32, 3), np.uint8))
    with pytest.raises(ValueError, match=r"one.png is 32 x 24, but was annotated at \(64, 48\)"):
        read_.scene()
    read_.path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"one.png is not a picture"):
        read_.scene()
    read_.path.unlink()
    with pytest.raises(FileNotFoundError, match=r"one\.png"):
        read_.scene()


def test_a_folder_of_pictures_has_nobody_and_counts_nowhere(tmp_path: Path) -> None:
    write(tmp_path, annotation(BODY))
    (tmp_path / "more").mkdir()
    cv2.imwrite(str(tmp_path / "more" / "two.jpg"), np.zeros((8, 16, 3), np.uint8))
    found = pictures(tmp_path, OPENPOSE_18)
    assert [one.path.name for one in found] == ["two.jpg", "one.png"]
    drawn = found[0].scene()
    assert drawn.people.shape == (0, 18, 3)
    assert drawn.counts.shape == (8, 16)
    assert not drawn.counts.any()


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no pictures"):
        pictures(tmp_path, OPENPOSE_18)


def test_any_sample_is_drawn_by_chance(tmp_path: Path) -> None:
    samples = [sample(tmp_path, annotation(BODY)), *pictures(tmp_path, OPENPOSE_18)]
    draw, rng = AnyOf(samples), np.random.default_rng(0)
    assert {len(draw(rng).people) for _ in range(20)} == {0, 1}


def test_leeds_sports_pose_has_no_faces() -> None:
    folder = shared("train/lsp-extended")
    images = folder / "images"
    samples = read(folder / "person_keypoints.json", images, OPENPOSE_18, everyone=False)
    assert len(samples) == 10_000
    assert samples[0].scene().size == samples[0].size
    faces = {name for name in NAMES if name.endswith(("nose", "eye", "ear"))}
    assert names(samples[0].annotated) == set(NAMES) - faces
