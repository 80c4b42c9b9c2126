"""REST: how the people of top-down models and the boxes of detectors are told and drawn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from engines.catalog import find
from engines.people import Floats
from tests.service.lights import (
    BOXES,
    DETECTOR,
    KEYPOINTS,
    PICTURE,
    POSES,
    Eyes,
    as_text,
    centre,
    detecting,
    seeing,
    standing,
)
from tests.service.serving import MODEL, assert_refused, over_http, service

ALL, FIRST = as_text(*BOXES), as_text(BOXES[0])


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    models = seeing(Eyes()), detecting(BOXES[0], BOXES[1]), standing()
    with service(*models, detector=DETECTOR) as running:
        async with over_http(running) as client:
            yield client


async def told(http: httpx.AsyncClient, **parameters: Any) -> Any:
    answer = await http.post("/v1/poses", params=parameters, content=PICTURE)
    assert answer.status_code == 200
    return answer.json()


async def test_people_in_boxes_come_in_cocos_and_openposes_form_too(
    http: httpx.AsyncClient,
) -> None:
    native = (await told(http, boxes=ALL))["people"]
    coco = await told(http, boxes=ALL, format="coco")
    assert [tuple(entry["bbox"]) for entry in coco] == list(BOXES)
    assert [entry["score"] for entry in coco] == [person["score"] for person in native]
    assert coco[1]["keypoints"] == [*centre(BOXES[1]), 1] * KEYPOINTS
    openpose = (await told(http, boxes=ALL, format="openpose"))["people"]
    for written, person in zip(openpose, native, strict=True):
        assert written["pose_keypoints_2d"] == [v for point in person["keypoints"] for v in point]


async def test_a_detector_answers_boxes_without_keypoints(http: httpx.AsyncClient) -> None:
    assert (await told(http, model=DETECTOR))["people"] == [
        {"score": 1, "box": list(box), "keypoints": []} for box in BOXES[:2]
    ]
    asked = {"model": DETECTOR, "format": "coco"}
    refused = await http.post("/v1/poses", params=asked, content=PICTURE)
    assert_refused(refused, 422, "bad_parameter")
    assert "format=native" in refused.json()["error"]["message"]


async def drawn(http: httpx.AsyncClient, **parameters: Any) -> Floats:
    answer = await http.post("/v1/render", params=parameters, content=PICTURE)
    assert answer.headers["content-type"] == "image/jpeg"
    pixels = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    assert pixels.shape == (40, 128, 3)
    return pixels.astype(np.float32)


async def test_a_detectors_boxes_are_drawn(http: httpx.AsyncClient) -> None:
    changed = await drawn(http, model=DETECTOR) - await drawn(http, model=DETECTOR, min_score=1)
    assert not changed.any(), "a score of 1 is enough"
    nobody = await drawn(http, boxes=FIRST, min_score=1)
    strength = np.abs(await drawn(http, model=DETECTOR) - nobody).max(axis=2)
    for x, y, width, height in BOXES[:2]:
        left, top, right, bottom = (int(side) for side in (x, y, x + width, y + height))
        edges = strength[top:bottom, left], strength[top:bottom, right], strength[top, left:right]
        assert all(edge.min() > 40 for edge in edges)
    assert strength[:, 70:].max() < 40, "where nobody is"


async def test_the_people_in_boxes_are_drawn(http: httpx.AsyncClient) -> None:
    strength = np.abs(await drawn(http, boxes=FIRST) - await drawn(http, boxes=FIRST, min_score=1))
    x, y = map(int, centre(BOXES[0]))
    assert strength[y, x].max() > 40
    assert strength[:, 40:].max() < 40


async def test_a_model_says_whether_it_needs_boxes(http: httpx.AsyncClient) -> None:
    infos = {info["name"]: info for info in (await http.get("/v1/models")).json()["models"]}
    assert list(infos) == [POSES, DETECTOR, MODEL]
    assert [info["default"] for info in infos.values()] == [True, False, False]
    assert [info["top_down"] for info in infos.values()] == [True, False, False]
    for name, info in infos.items():
        entry = find(name)
        assert (await http.get(f"/v1/models/{name}")).json() == info
        assert info["keypoints"] == list(entry.skeleton.keypoints)
        assert info["limbs"] == [list(limb) for limb in entry.skeleton.limbs]
        sides = (info["input_height"], info["input_width"])
        assert sides == (entry.input.height, entry.input.width)
        assert (info["engine"], info["precision"], info["devices"]) == ("test", "fp32", ["cpu"])
        assert (info["licence"], info["accuracy"]) == (entry.licence, entry.accuracy)
    assert_refused(await http.get("/v1/models/whole-image"), 404, "unknown_model")


async def test_the_documentation_has_boxes_and_detector(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    for path in ("/v1/poses", "/v1/render"):
        described = {one["name"]: one for one in paths[path]["post"]["parameters"]}
        assert "semicolons" in described["boxes"]["description"]
        assert "whole-image" in described["detector"]["description"]
