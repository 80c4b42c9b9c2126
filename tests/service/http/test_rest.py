"""REST: images in, people out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from engines.model import Model
from engines.skeletons import OPENPOSE_18
from tests.service.serving import BLANK, MODEL, assert_error, files, lent, over_http, service

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
async def http(model: Model) -> AsyncIterator[httpx.AsyncClient]:
    with service(lent(model)) as running:
        async with over_http(running) as client:
            yield client


async def test_a_photograph_comes_back_as_people(http: httpx.AsyncClient, astronaut: bytes) -> None:
    answer = await http.post("/v1/poses", content=astronaut, headers=JPEG)
    poses = answer.json()
    assert answer.status_code == 200
    assert (poses["model"], poses["skeleton"]) == (MODEL, "openpose-18")
    assert poses["image"] == {"width": 512, "height": 512}
    assert set(poses["timings_ms"]) == {"decode", "prepare", "queue", "infer", "group", "total"}
    person = poses["people"][0]
    nose = person["keypoints"][OPENPOSE_18.keypoints.index("nose")]
    x, y, width, height = person["box"]
    assert x <= nose[0] <= x + width
    assert y <= nose[1] <= y + height
    assert 0 < nose[2] <= 1
    assert 0 < person["score"] <= 1


async def test_a_photograph_in_a_form_gets_the_same_answer(
    http: httpx.AsyncClient, astronaut: bytes
) -> None:
    raw = await http.post("/v1/poses", content=astronaut)
    form = await http.post("/v1/poses", files=files(astronaut))
    assert form.json()["people"] == raw.json()["people"]


@pytest.mark.parametrize("form", ["native", "coco", "openpose"])
async def test_one_bad_picture_of_several_fails_alone(
    http: httpx.AsyncClient, astronaut: bytes, form: str
) -> None:
    sent = files(astronaut, b"no picture", BLANK, astronaut)
    answer = await http.post("/v1/poses", params={"format": form}, files=sent)
    alone = await http.post("/v1/poses", params={"format": form}, content=astronaut)
    first, bad, blank, last = answer.json()
    assert answer.status_code == 200
    assert_error(bad, "bad_image")
    if form == "coco":
        expected = alone.json()
        assert first == expected
        assert last == [person | {"image_id": 3} for person in expected]
        assert blank == []
    else:
        assert first["people"] == last["people"] == alone.json()["people"] != []
        assert blank["people"] == []


@pytest.mark.parametrize("parameters", [{"min_score": 1}, {"min_score": 0.9, "max_people": 1}])
async def test_people_below_the_least_score_are_left_out(
    http: httpx.AsyncClient, astronaut: bytes, parameters: dict[str, float]
) -> None:
    answer = await http.post("/v1/poses", params=parameters, content=astronaut)
    assert all(person["score"] >= parameters["min_score"] for person in answer.json()["people"])


@pytest.mark.parametrize("form", ["native", "coco", "openpose"])
async def test_a_picture_of_nobody_is_no_error(http: httpx.AsyncClient, form: str) -> None:
    answer = await http.post("/v1/poses", params={"format": form}, content=BLANK)
    body = answer.json()
    assert answer.status_code == 200
    assert (body if form == "coco" else body["people"]) == []


@pytest.mark.parametrize("form", [False, True])
async def test_a_drawing_is_a_jpeg_of_the_same_size(
    http: httpx.AsyncClient, astronaut: bytes, form: bool
) -> None:
    body: dict[str, Any] = {"files": files(astronaut)} if form else {"content": astronaut}
    answer = await http.post("/v1/render", **body)
    assert answer.headers["content-type"] == "image/jpeg"
    drawn = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    original = cv2.imdecode(np.frombuffer(astronaut, np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    assert original is not None
    assert drawn.shape == original.shape
    assert np.abs(drawn.astype(int) - original).max() > 100, "nobody was drawn"


async def test_models_say_what_they_are(http: httpx.AsyncClient) -> None:
    (info,) = (await http.get("/v1/models")).json()["models"]
    assert (info["name"], info["default"], info["input_height"]) == (MODEL, True, 368)
    assert tuple(info["keypoints"]) == OPENPOSE_18.keypoints
    assert [tuple(limb) for limb in info["limbs"]] == list(OPENPOSE_18.limbs)
    assert all(info[field] for field in ("title", "licence", "source", "accuracy"))
    assert (await http.get(f"/v1/models/{MODEL}")).json() == info
