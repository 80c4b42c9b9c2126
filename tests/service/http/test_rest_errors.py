"""REST refuses what it cannot answer, always in one form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from engines.model import Model
from service.admission import State
from tests.service.pictures import encode, picture, pillow, png_of_size, save
from tests.service.serving import (
    BLANK,
    MODEL,
    Service,
    assert_error,
    assert_refused,
    files,
    lent,
    service,
)

PIXELS = picture()


@pytest.fixture
def running(model: Model) -> Iterator[Service]:
    with service(lent(model), max_bytes=100_000, max_request_bytes=300_000, max_parts=4) as serving:
        yield serving


BAD_IMAGES = {
    "empty": (b"", 400, "bad_image"),
    "text": (b"this is no image at all", 400, "bad_image"),
    "half a JPEG": (encode(PIXELS, "JPEG")[:400], 400, "bad_image"),
    "half a PNG": (encode(PIXELS, "PNG")[:300], 400, "bad_image"),
    "GIF": (save(pillow(PIXELS), "GIF"), 415, "unsupported_image"),
    "TIFF": (save(pillow(PIXELS), "TIFF"), 415, "unsupported_image"),
    "PDF": (save(pillow(PIXELS), "PDF"), 415, "unsupported_image"),
    "many bytes": (bytes(100_001), 413, "too_large"),
    "many pixels": (png_of_size(60_000, 60_000), 413, "too_large"),
}


@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
@pytest.mark.parametrize("bad", BAD_IMAGES.values(), ids=BAD_IMAGES)
async def test_a_bad_image_is_refused(
    http: httpx.AsyncClient, running: Service, path: str, bad: tuple[bytes, int, str]
) -> None:
    image, status, code = bad
    assert_refused(await http.post(path, content=image), status, code)
    assert_refused(await http.post(path, files=files(image)), status, code)
    counted = {"protocol": "http", "model": MODEL, "code": code}
    assert running.count("pose_requests_total", **counted) == 2


@pytest.mark.parametrize("bad_image", BAD_IMAGES.values(), ids=BAD_IMAGES)
async def test_a_bad_image_among_others_fails_alone(
    http: httpx.AsyncClient, bad_image: tuple[bytes, int, str]
) -> None:
    image, _, code = bad_image
    answer = await http.post("/v1/poses", files=files(BLANK, image))
    assert answer.status_code == 200
    good, bad = answer.json()
    assert good["people"] == []
    assert_error(bad, code)


async def test_a_body_of_unknown_length_is_refused_as_soon_as_it_is_too_long(
    http: httpx.AsyncClient,
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 10_000
            yield bytes(10_000)

    assert_refused(await http.post("/v1/poses", content=endless()), 413, "too_large")
    assert sent == 110_000


async def test_a_form_longer_than_is_accepted_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/poses", files=files(*[bytes(90_000)] * 4))
    assert_refused(answer, 413, "too_large")


@pytest.mark.parametrize(
    "parameters",
    [
        {"min_score": "2"},
        {"min_score": "-0.1"},
        {"min_score": "nan"},
        {"min_score": "high"},
        {"max_people": "0"},
        {"max_people": "1.5"},
        {"size": "1"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
async def test_a_bad_parameter_is_refused_by_name(
    http: httpx.AsyncClient, path: str, parameters: dict[str, str]
) -> None:
    answer = await http.post(path, params=parameters, content=BLANK)
    assert_refused(answer, 422, "bad_parameter")
    assert next(iter(parameters)) in answer.json()["error"]["message"]


async def test_an_unknown_format_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/poses", params={"format": "xml"}, content=BLANK)
    assert_refused(answer, 422, "bad_parameter")


@pytest.mark.parametrize("asked", ["soon", "-1", "nan", "1e3", "5 minutes", "1,5"])
async def test_a_timeout_that_is_no_time_is_refused(http: httpx.AsyncClient, asked: str) -> None:
    answer = await http.post("/v1/poses", content=BLANK, headers={"X-Request-Timeout": asked})
    assert_refused(answer, 422, "bad_parameter")


@pytest.mark.parametrize("asked", ["9", "9s", "9.5 s", "9000ms"])
async def test_a_timeout_may_be_in_seconds_or_milliseconds(
    http: httpx.AsyncClient, asked: str
) -> None:
    answer = await http.post("/v1/poses", content=BLANK, headers={"X-Request-Timeout": asked})
    assert answer.status_code == 200


BAD_FORMS: dict[str, dict[str, Any]] = {
    "no boundary": {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
    "broken": {
        "content": b"--x\r\nno header at all",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    },
    "nothing inside": {
        "content": b"--x--\r\n",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    },
    "another field": {"files": [("photo", BLANK)]},
    "a field without a file": {"files": [("image", (None, b"text"))]},
    "too many files": {"files": files(*[BLANK] * 5)},
}


@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
@pytest.mark.parametrize("form", BAD_FORMS.values(), ids=BAD_FORMS)
async def test_a_bad_form_is_refused(
    http: httpx.AsyncClient, path: str, form: dict[str, Any]
) -> None:
    assert_refused(await http.post(path, **form), 422, "bad_parameter")


async def test_only_one_picture_is_drawn_at_a_time(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/render", files=files(BLANK, BLANK))
    assert_refused(answer, 422, "bad_parameter")


async def test_an_unknown_model_is_refused_with_the_names_there_are(
    http: httpx.AsyncClient,
) -> None:
    for answer in (
        await http.post("/v1/poses", params={"model": "other"}, content=BLANK),
        await http.post("/v1/render", params={"model": "other"}, content=BLANK),
        await http.get("/v1/models/other"),
    ):
        assert_refused(answer, 404, "unknown_model")
        assert MODEL in answer.json()["error"]["message"]


async def test_an_unknown_route_and_a_wrong_method_are_refused_in_the_same_form(
    http: httpx.AsyncClient,
) -> None:
    assert_refused(await http.post("/v9/poses", content=BLANK), 404, "not_found")
    wrong = await http.get("/v1/poses")
    assert_refused(wrong, 405, "method_not_allowed")
    assert wrong.headers["allow"] == "POST"


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
async def test_nothing_is_served_while_starting_or_draining(
    http: httpx.AsyncClient, running: Service, state: State
) -> None:
    running.admission.state = state
    assert_refused(await http.post("/v1/poses", content=BLANK), 503, "unavailable")
    assert_refused(await http.post("/v1/poses", files=files(BLANK, BLANK)), 503, "unavailable")
    assert_refused(await http.get("/v1/models"), 503, "unavailable")
    assert (await http.get("/healthz")).status_code == 200
    ready = await http.get("/readyz")
    assert (ready.status_code, ready.json()) == (503, {"status": state.value})
