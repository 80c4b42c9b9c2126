"""REST: a model that needs boxes takes its people from where the caller says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.service.lights import (
    BOXES,
    DETECTOR,
    KEYPOINTS,
    LIGHTS,
    PICTURE,
    POSES,
    SCORES,
    WHOLE,
    Box,
    Eyes,
    as_text,
    centre,
    detecting,
    seeing,
    standing,
)
from tests.service.serving import (
    MODEL,
    Service,
    assert_error,
    files,
    over_http,
    service,
)

STAGES = {"decode", "prepare", "queue", "infer", "group", "total"}
ONE = "10,8,16,24"  # the first of the boxes


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def running(eyes: Eyes) -> Iterator[Service]:
    models = seeing(eyes), detecting(BOXES[0], BOXES[1]), standing()
    with service(*models, detector=DETECTOR, max_boxes=5) as serving:
        yield serving


async def people(http: httpx.AsyncClient, **parameters: Any) -> list[dict[str, Any]]:
    answer = await http.post("/v1/poses", params=parameters, content=PICTURE)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()["timings_ms"]) == STAGES
    found: list[dict[str, Any]] = answer.json()["people"]
    return found


async def boxes(http: httpx.AsyncClient, **parameters: Any) -> list[Box]:
    """Of the people that are found, in their order."""
    return [tuple(person["box"]) for person in await people(http, **parameters)]


async def test_boxes_are_answered_in_the_order_given_with_those_very_boxes(
    http: httpx.AsyncClient, running: Service
) -> None:
    asked = [BOXES[index] for index in (2, 0, 3, 1, 0)]
    found = await people(http, boxes=as_text(*asked))
    for box, person in zip(asked, found, strict=True):
        assert tuple(person["box"]) == box
        assert person["score"] == pytest.approx(LIGHTS[box] / 255, abs=1e-4)
        seen = [*centre(box), pytest.approx(LIGHTS[box] / 255, abs=1e-4)]
        assert person["keypoints"] == [seen] * KEYPOINTS
    assert running.count("pose_batch_size_count", model=DETECTOR) == 0, "it was asked in vain"


@pytest.mark.parametrize(
    "box", [(9.5, 7.25, 17.13, 24.99), (-30, -20, 60, 70), (100, 8, 500, 24), (0, 0, 1e6, 1e6)]
)
async def test_a_box_comes_back_as_it_was_given(http: httpx.AsyncClient, box: Box) -> None:
    assert await boxes(http, boxes=as_text(box)) == [box]


@pytest.mark.parametrize(
    ("parameters", "kept"),
    [
        ({"min_score": 0.39}, {0, 1, 3}),
        ({"max_people": 2}, {1, 3}),
        ({"max_people": 1}, {1}),
        ({"max_people": 2, "min_score": 0.7}, {1}),
        ({"max_people": 9}, {0, 1, 2, 3}),
        ({"min_score": 1}, set()),
    ],
)
async def test_of_boxes_the_best_are_kept_in_the_order_given(
    http: httpx.AsyncClient, parameters: dict[str, float], kept: set[int]
) -> None:
    for order in ((0, 1, 2, 3), (3, 2, 1, 0), (2, 3, 0, 1)):
        asked = as_text(*(BOXES[index] for index in order))
        expected = [BOXES[index] for index in order if index in kept]
        assert await boxes(http, boxes=asked, **parameters) == expected


async def test_where_a_box_shows_nothing_of_the_picture_all_keypoints_are_missing(
    http: httpx.AsyncClient, eyes: Eyes
) -> None:
    outside: Box = (500, 8, 16, 24)
    nobody, somebody = await people(http, boxes=as_text(outside, BOXES[1]))
    assert (nobody["score"], tuple(nobody["box"])) == (0, outside)
    assert nobody["keypoints"] == [[0, 0, 0]] * KEYPOINTS
    assert somebody["score"] == pytest.approx(SCORES[1], abs=1e-4)
    assert eyes.batches == [1]


@pytest.mark.parametrize("parameters", [{}, {"detector": ""}, {"detector": DETECTOR}])
async def test_a_detector_finds_the_people_best_first(
    http: httpx.AsyncClient, parameters: dict[str, str]
) -> None:
    assert await boxes(http, **parameters) == [BOXES[1], BOXES[0]]


async def test_a_bottom_up_model_finds_whole_bodies_around_its_keypoints(
    http: httpx.AsyncClient, running: Service
) -> None:
    found = await people(http, detector=MODEL)
    assert [person["box"] for person in found] == [[102, 9, 12, 22], [12, 9, 12, 22]]
    assert [len(person["keypoints"]) for person in found] == [KEYPOINTS] * 2
    scores = [0.9 * SCORES[3], 0.5 * SCORES[0]]  # of the box, and of what is seen in it
    assert [person["score"] for person in found] == pytest.approx(scores, abs=1e-4)
    assert running.count("pose_batch_size_count", model=DETECTOR) == 0


async def test_the_whole_image_can_be_one_person(http: httpx.AsyncClient) -> None:
    assert await boxes(http, detector="whole-image") == [WHOLE]


@pytest.mark.parametrize("detector", ["whole-image", MODEL])
async def test_the_service_says_who_finds_people_where_the_caller_does_not(
    eyes: Eyes, detector: str
) -> None:
    models = seeing(eyes), detecting(BOXES[0]), standing()
    with service(*models, detector=detector) as running:
        async with over_http(running) as http:
            chosen = await boxes(http)
            assert chosen == await boxes(http, detector=detector)
            assert chosen != await boxes(http, detector=DETECTOR) == [BOXES[0]]


@pytest.mark.parametrize("form", ["native", "coco", "openpose"])
async def test_in_a_picture_without_people_the_pose_engine_is_not_asked(form: str) -> None:
    eyes = Eyes()
    with service(seeing(eyes), detecting(), detector=DETECTOR) as running:
        async with over_http(running) as http:
            answer = await http.post("/v1/poses", params={"format": form}, content=PICTURE)
    assert answer.status_code == 200
    assert (answer.json() if form == "coco" else answer.json()["people"]) == []
    assert eyes.batches == []
    assert running.count("pose_images_total", model=POSES) == 1
    assert running.count("pose_people_per_image_sum", model=POSES) == 0


async def test_every_picture_of_a_form_has_people_of_its_own(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/poses", files=files(PICTURE, b"no picture", PICTURE))
    first, bad, last = answer.json()
    assert_error(bad, "bad_image")
    assert first["people"] == last["people"] != []


async def test_boxes_may_come_with_a_form_of_one_picture(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/poses", params={"boxes": ONE}, files=files(PICTURE))
    assert answer.json()["people"] == await people(http, boxes=ONE)


async def test_every_stage_has_a_time_even_where_no_engine_is_asked(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(
        "/v1/poses", params={"model": POSES, "boxes": "9999,9999,5,5"}, content=PICTURE
    )
    assert set(answer.json()["timings_ms"]) == STAGES
    assert len(answer.json()["people"]) == 1


async def test_a_detector_that_is_not_served_is_refused_for_all_images_at_once(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(
        "/v1/poses", params={"model": POSES, "detector": "nope"}, files=files(PICTURE, PICTURE)
    )
    assert answer.status_code == 404
    assert_error(answer.json(), "unknown_model")
