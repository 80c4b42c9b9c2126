"""REST refuses boxes and detectors that do not go with a model, each with a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.service.lights import BOXES, DETECTOR, PICTURE, POSES, Eyes, detecting, seeing, standing
from tests.service.serving import (
    MODEL,
    Failing,
    Service,
    assert_refused,
    files,
    over_http,
    service,
    until,
)

ONE = "10,8,16,24"


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def running(eyes: Eyes) -> Iterator[Service]:
    models = standing(), seeing(eyes), detecting(*BOXES)
    with service(*models, detector=DETECTOR, max_boxes=5) as serving:
        yield serving


WRONG_BOXES = {
    "nothing": "",
    "a space": " ",
    "a semicolon": ";",
    "words": "left,right,up,down",
    "three numbers": "1,2,3",
    "five numbers": "1,2,3,4,5",
    "a broken second": ONE + ";1,2,3",
    "a hole": f"{ONE};;{ONE}",
    "no number": "nan,8,16,24",
    "endless": "10,8,inf,24",
    "endless to the left": "-inf,8,16,24",
    "far away": "1e9,8,16,24",
    "no width": "10,8,0,24",
    "no height": f"{ONE};10,8,16,0",
    "a negative width": "10,8,-16,24",
    "too many": ";".join([ONE] * 6),
}


@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
@pytest.mark.parametrize("wrong", WRONG_BOXES.values(), ids=WRONG_BOXES)
async def test_boxes_that_are_none_are_refused(
    http: httpx.AsyncClient, running: Service, eyes: Eyes, path: str, wrong: str
) -> None:
    asked = {"model": POSES, "boxes": wrong}
    assert_refused(await http.post(path, params=asked, content=PICTURE), 422, "bad_parameter")
    counted = {"protocol": "http", "model": POSES, "code": "bad_parameter"}
    assert running.count("pose_requests_total", **counted) == 1
    assert eyes.batches == []


WRONG_CHOICES = {
    "boxes for the default model": ({"boxes": ONE}, "by itself"),
    "boxes for a bottom-up model": ({"model": MODEL, "boxes": ONE}, "by itself"),
    "boxes for a detector": ({"model": DETECTOR, "boxes": ONE}, "by itself"),
    "a detector for a bottom-up model": ({"model": MODEL, "detector": DETECTOR}, "by itself"),
    "itself as detector": ({"model": MODEL, "detector": MODEL}, "by itself"),
    "the whole image for a bottom-up model": ({"detector": "whole-image"}, "by itself"),
    "both": ({"model": POSES, "boxes": ONE, "detector": DETECTOR}, "not both"),
    "both, one not served": ({"model": POSES, "boxes": ONE, "detector": "other"}, "not both"),
    "boxes and the whole image": (
        {"model": POSES, "boxes": ONE, "detector": "whole-image"},
        "not both",
    ),
    "a detector that needs boxes": ({"model": POSES, "detector": POSES}, "another detector"),
}


@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
@pytest.mark.parametrize(("asked", "reason"), WRONG_CHOICES.values(), ids=WRONG_CHOICES)
async def test_what_does_not_go_together_is_refused(
    http: httpx.AsyncClient, running: Service, path: str, asked: dict[str, str], reason: str
) -> None:
    answer = await http.post(path, params=asked, content=PICTURE)
    assert_refused(answer, 422, "bad_parameter")
    assert reason in answer.json()["error"]["message"]
    assert running.admission.inside == 0
    assert running.count("pose_images_total", model=asked.get("model", MODEL)) == 0


@pytest.mark.parametrize("detector", ["other", "Whole-Image", "hrnet-w32-256x192"])
async def test_a_detector_that_is_not_served_is_refused_with_those_that_are(
    http: httpx.AsyncClient, detector: str
) -> None:
    asked = {"model": POSES, "detector": detector}
    answer = await http.post("/v1/poses", params=asked, content=PICTURE)
    assert_refused(answer, 404, "unknown_model")
    message = answer.json()["error"]["message"]
    assert all(name in message for name in (detector, DETECTOR, MODEL))


async def test_the_services_own_detector_must_be_served() -> None:
    with service(seeing(Eyes()), detector=DETECTOR) as running:
        async with over_http(running) as http:
            answer = await http.post("/v1/poses", content=PICTURE)
            assert_refused(answer, 404, "unknown_model")
            given = await http.post("/v1/poses", params={"boxes": ONE}, content=PICTURE)
            assert given.status_code == 200, "boxes need no detector"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_boxes_are_answered_though_the_detectors_device_has_died(eyes: Eyes) -> None:
    models = seeing(eyes), detecting(*BOXES, engine=Failing(SystemExit(), "cuda:1"))
    with service(*models, detector=DETECTOR) as running:
        async with over_http(running) as http:
            failed = await http.post("/v1/poses", content=PICTURE)
            assert_refused(failed, 503, "unavailable")
            await until(lambda: running.registry.dead() == [DETECTOR])
            refused = await http.post("/v1/poses", content=PICTURE)
            assert_refused(refused, 503, "unavailable")
            ready = await http.get("/readyz")
            assert ready.status_code == 503
            assert DETECTOR in ready.json()["status"]
            given = await http.post("/v1/poses", params={"boxes": ONE}, content=PICTURE)
            assert given.status_code == 200


async def test_the_whole_image_is_no_model(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/poses", params={"model": "whole-image"}, content=PICTURE)
    assert_refused(answer, 404, "unknown_model")


async def test_boxes_are_of_one_picture(http: httpx.AsyncClient, eyes: Eyes) -> None:
    for path in ("/v1/poses", "/v1/render"):
        sent = files(PICTURE, PICTURE)
        answer = await http.post(path, params={"model": POSES, "boxes": ONE}, files=sent)
        assert_refused(answer, 422, "bad_parameter")
    assert eyes.batches == []


@pytest.mark.parametrize("asked", [{"detector": MODEL}, {"boxes": ONE}], ids=str)
async def test_a_bad_picture_is_refused_whatever_finds_the_people(
    http: httpx.AsyncClient, asked: dict[str, str]
) -> None:
    answer = await http.post("/v1/poses", params={"model": POSES, **asked}, content=b"no picture")
    assert_refused(answer, 400, "bad_image")


async def test_a_parameter_of_almost_that_name_is_refused(http: httpx.AsyncClient) -> None:
    for name in ("box", "bboxes", "detectors"):
        answer = await http.post("/v1/poses", params={"model": POSES, name: ONE}, content=PICTURE)
        assert_refused(answer, 422, "bad_parameter")
