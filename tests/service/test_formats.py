"""People as native, COCO and OpenPose JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from engines.catalog import find
from engines.model import Model
from engines.people import People
from engines.skeletons import COCO_17, OPENPOSE_18
from service.errors import BadParameterError
from service.estimate import Estimate
from service.formats import as_format, coco, model_infos, native, openpose
from tests.service.fakes import OnDevice

MODEL = "lightweight-openpose-int8"
NECK, LEFT_EAR = OPENPOSE_18.keypoints.index("neck"), OPENPOSE_18.keypoints.index("left_ear")


def estimate(people: int = 2) -> Estimate:
    """Keypoint k of person p is at (k + 0.126, 100 p + k), of score 0.1; one lacks a left ear."""
    keypoints = np.zeros((people, 18, 3), np.float32)
    for person in range(people):
        keypoints[person, :, 0] = np.arange(18) + 0.126
        keypoints[person, :, 1] = np.arange(18) + 100 * person
        keypoints[person, :, 2] = 0.1
    keypoints[1:, LEFT_EAR] = 0
    scores = np.linspace(0.9, 0.123456, people, dtype=np.float32)
    timings = {"decode": 1.5, "total": 2.5}
    return Estimate(find(MODEL), 640, 480, People.of(keypoints, scores), timings)


def test_native_has_every_keypoint_of_the_skeleton_in_its_order() -> None:
    poses = native(estimate())
    assert (poses.model, poses.skeleton) == (MODEL, "openpose-18")
    assert (poses.image.width, poses.image.height) == (640, 480)
    assert poses.timings_ms == {"decode": 1.5, "total": 2.5}
    first, second = poses.people
    assert first.keypoints == [(k + 0.13, k, 0.1) for k in range(18)]
    assert second.keypoints[NECK] == (1.13, 101, 0.1)
    assert second.keypoints[LEFT_EAR] == (0, 0, 0)
    assert first.box == (0.13, 0, 17, 17)


def test_native_json_has_the_names_and_decimals_of_the_contract() -> None:
    body = json.loads(native(estimate()).model_dump_json())
    assert list(body) == ["model", "skeleton", "image", "people", "timings_ms"]
    assert list(body["people"][0]) == ["score", "box", "keypoints"]
    assert [person["score"] for person in body["people"]] == [0.9, 0.1235]
    assert body["people"][0]["keypoints"][2] == [2.13, 2.0, 0.1]


def test_coco_has_its_own_17_keypoints_in_its_own_order() -> None:
    first, second = coco(estimate(), "photo")
    ours = [OPENPOSE_18.keypoints.index(name) for name in COCO_17.keypoints]
    assert first.keypoints == [value for k in ours for value in (k + 0.13, k, 1)]
    ear = 3 * COCO_17.keypoints.index("left_ear")
    assert second.keypoints[ear : ear + 3] == [0, 0, 0]
    assert len(second.keypoints) == 51
    assert (first.image_id, first.category_id, first.score) == ("photo", 1, 0.9)
    assert first.bbox == (0.13, 0, 17, 17)


def test_coco_is_refused_for_a_skeleton_that_lacks_its_keypoints() -> None:
    some = estimate()
    hand = replace(OPENPOSE_18, name="hand-21", coco=())
    with pytest.raises(BadParameterError, match="hand-21"):
        coco(replace(some, entry=replace(some.entry, skeleton=hand)), 0)


def test_openpose_is_its_json_of_version_1_3() -> None:
    body = json.loads(openpose(estimate()).model_dump_json())
    assert body["version"] == 1.3
    first, second = body["people"]
    assert first["pose_keypoints_2d"] == [value for k in range(18) for value in (k + 0.13, k, 0.1)]
    assert second["pose_keypoints_2d"][3 * LEFT_EAR :] == [0, 0, 0]
    assert first["person_id"] == [-1]
    parts = ("face", "hand_left", "hand_right")
    empty = [f"{part}_keypoints_2d" for part in parts]
    empty += [f"{part}_keypoints_3d" for part in ("pose", *parts)]
    assert list(first) == ["person_id", "pose_keypoints_2d", *empty]
    assert all(first[name] == [] for name in empty)


def test_nobody_is_an_empty_list() -> None:
    nobody = estimate(0)
    assert native(nobody).people == []
    assert coco(nobody, 0) == []
    assert openpose(nobody).people == []


def test_the_form_asked_for_is_made() -> None:
    some = estimate()
    assert as_format(some, "native") == native(some)
    assert as_format(some, "coco", 7) == coco(some, 7)
    assert as_format(some, "openpose") == openpose(some)


def test_the_first_model_is_the_default(model: Model) -> None:
    infos = model_infos([replace(model, entry=find("lightweight-openpose")), model])
    assert [(info.name, info.default) for info in infos] == [
        ("lightweight-openpose", True),
        (MODEL, False),
    ]
    assert infos[0].limbs == list(OPENPOSE_18.limbs)


def test_a_model_says_what_runs_it_where_and_why(model: Model) -> None:
    (info,) = model_infos([replace(model, why="as asked for")])
    assert (info.engine, info.precision, info.devices) == ("openvino", "int8", ["cpu"])
    assert info.why == "as asked for"
    second = {name: OnDevice(engine, "cuda:1") for name, engine in model.engines.items()}
    (both,) = model_infos([replace(model, replicas=(second,))])
    assert both.devices == ["cpu", "cuda:1"]
