"""KServe's protocol over HTTP: images in, tensors out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from engines.model import Model
from service.admission import State
from service.kserve.wire import JSON_LENGTH
from tests.service.kserve.asking import URL, in_bytes, in_json, outputs, refused
from tests.service.serving import (
    BLANK,
    MODEL,
    Service,
    lent,
    over_http,
    service,
)

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def running(model: Model) -> Iterator[Service]:
    with service(lent(model), stream_window=2) as started:
        yield started


@pytest.fixture
async def http(running: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with over_http(running) as client:
        yield client


@pytest.mark.parametrize("ask", [in_json, in_bytes])
async def test_a_picture_gives_the_same_people_as_over_rest(
    http: httpx.AsyncClient, astronaut: bytes, ask: Ask
) -> None:
    poses = (await http.post("/v1/poses", content=astronaut)).json()
    answer = await http.post(URL, **ask(astronaut, id="seven"))
    found, told = outputs(answer), answer.json()
    assert (told["id"], told["model_name"], told["model_version"]) == ("seven", MODEL, "1")
    assert json.loads(found["people"]["data"][0])["people"] == poses["people"]
    keypoints = np.reshape(found["keypoints"]["data"], found["keypoints"]["shape"])
    assert keypoints.tolist() == [
        [pytest.approx(point, abs=0.006) for point in person["keypoints"]]
        for person in poses["people"]
    ]
    assert found["boxes"]["shape"] == [1, 4]
    assert found["scores"]["data"] == [pytest.approx(poses["people"][0]["score"], abs=1e-4)]


async def test_a_picture_of_nobody_gives_empty_tensors(http: httpx.AsyncClient) -> None:
    found = outputs(await http.post(URL, **in_json(BLANK)))
    assert [found[name]["shape"] for name in ("keypoints", "scores", "boxes")] == [
        [0, 18, 3],
        [0],
        [0, 4],
    ]
    assert found["keypoints"]["data"] == []


@pytest.mark.parametrize("ask", [in_json, in_bytes])
async def test_several_pictures_are_answered_in_order(
    http: httpx.AsyncClient, astronaut: bytes, ask: Ask
) -> None:
    found = outputs(await http.post(URL, **ask(BLANK, astronaut, BLANK, astronaut)))
    assert found.keys() == {"people"}
    people = [len(json.loads(text)["people"]) for text in found["people"]["data"]]
    assert people == [0, 1, 0, 1]


async def test_the_error_of_one_picture_fails_the_request_and_says_which(
    http: httpx.AsyncClient,
) -> None:
    message = refused(await http.post(URL, **in_json(BLANK, b"no picture", BLANK)), 400)
    assert message.startswith("Image 2 of 3: ")
    alone = refused(await http.post(URL, **in_json(b"GIF89a" + bytes(20))), 415)
    assert "Image 1" not in alone


async def test_only_the_outputs_asked_for_come_each_in_its_form(
    http: httpx.AsyncClient, astronaut: bytes
) -> None:
    asked = [{"name": "scores"}, {"name": "boxes", "parameters": {"binary_data": True}}]
    answer = await http.post(URL, **in_json(astronaut, outputs=asked))
    length = int(answer.headers[JSON_LENGTH])
    scores, boxes = json.loads(answer.content[:length])["outputs"]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert (scores["name"], len(scores["data"])) == ("scores", 1)
    assert (boxes["parameters"], "data" in boxes) == ({"binary_data_size": 16}, False)
    everything = outputs(await http.post(URL, **in_json(astronaut)))
    assert np.frombuffer(answer.content[length:], "<f4").tolist() == everything["boxes"]["data"]


async def test_every_output_comes_as_bytes_where_the_request_says_so(
    http: httpx.AsyncClient, astronaut: bytes
) -> None:
    parameters = {"binary_data_output": True}
    asked = [{"name": "people"}, {"name": "scores", "parameters": {"binary_data": False}}]
    answer = await http.post(URL, **in_json(astronaut, parameters=parameters, outputs=asked))
    head = json.loads(answer.content[: int(answer.headers[JSON_LENGTH])])
    assert ["data" in output for output in head["outputs"]] == [False, True]


async def test_options_go_into_the_parameters(http: httpx.AsyncClient, astronaut: bytes) -> None:
    found = outputs(await http.post(URL, **in_json(astronaut, parameters={"min_score": 1})))
    assert found["scores"]["shape"] == [0]


async def test_base64_may_have_line_breaks(http: httpx.AsyncClient) -> None:
    request = in_json(BLANK)
    (image,) = request["json"]["inputs"]
    image["data"] = ["\n".join(image["data"][0][at : at + 76] for at in range(0, 999, 76))]
    image["parameters"] = {"content_type": "base64"}
    outputs(await http.post(URL, **request))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "photo"},
        {"datatype": "UINT8"},
        {"shape": [2]},
        {"shape": [17]},
        {"data": ["no base64!"]},
        {"data": ["é"]},
        {"data": [1]},
        {"data": None},
        {"data": []},
        {"parameters": {"binary_data_size": 4}},
        {"parameters": {"shared_memory_region": "x"}},
    ],
)
async def test_an_input_that_is_no_picture_is_refused(
    http: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    request = in_json(BLANK)
    request["json"]["inputs"][0] |= change
    refused(await http.post(URL, **request), 422)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": []},
        {"outputs": [{"name": "hands"}]},
        {"outputs": [{"name": "people", "parameters": {"classification": 3}}]},
        {"parameters": {"sequence_id": 1}},
        {"parameters": {"model": MODEL}},
        {"parameters": {"min_score": 2}},
        {"parameters": {"boxes": "1,1,1,1"}},
        {"parameters": {"timeout": -1}},
    ],
)
async def test_a_request_that_asks_for_what_is_not_there_is_refused(
    http: httpx.AsyncClient, change: dict[str, Any]
) -> None:
    refused(await http.post(URL, **in_json(BLANK, **change)), 422)


async def test_arrays_of_several_pictures_are_refused(http: httpx.AsyncClient) -> None:
    asked = in_json(BLANK, BLANK, outputs=[{"name": "scores"}])
    assert "people" in refused(await http.post(URL, **asked), 422)


@pytest.mark.parametrize("length", ["-1", "", "x", "9" * 30, "1.5", "²", "100000"])
async def test_a_wrong_length_of_the_json_is_refused(http: httpx.AsyncClient, length: str) -> None:
    asked = in_bytes(BLANK) | {"headers": {JSON_LENGTH: length.encode("latin-1")}}
    refused(await http.post(URL, **asked), 422)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xd8\xff", b'{"inputs": 1}', b"[" * 100_000]
)
async def test_a_body_that_is_no_request_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    refused(await http.post(URL, content=body), 422)


async def test_a_body_above_the_limit_is_refused(model: Model) -> None:
    with service(lent(model), max_request_bytes=1000) as running:
        async with over_http(running) as http:
            refused(await http.post(URL, content=bytes(1001)), 413)


async def test_a_model_or_version_that_is_not_served_is_not_found(http: httpx.AsyncClient) -> None:
    for path in ("/v2/models/nobody", f"/v2/models/{MODEL}/versions/2"):
        refused(await http.get(path), 404)
        refused(await http.get(f"{path}/ready"), 404)
        refused(await http.post(f"{path}/infer", **in_json(BLANK)), 404)
    assert (await http.get(f"/v2/models/{MODEL}/versions/1/ready")).json()["ready"] is True
    outputs(await http.post(f"/v2/models/{MODEL}/versions/1/infer", **in_json(BLANK)))


async def test_a_path_that_is_not_there_is_told_in_the_protocols_form(
    http: httpx.AsyncClient,
) -> None:
    refused(await http.get("/v2/models/stats/more"), 404)
    refused(await http.get(URL), 405)


async def test_the_metadata_tells_the_tensors(http: httpx.AsyncClient) -> None:
    server = (await http.get("/v2")).json()
    assert (server["name"], "binary_tensor_data" in server["extensions"]) == ("posewire", True)
    told = (await http.get(f"/v2/models/{MODEL}")).json()
    assert told["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    shapes = {output["name"]: output["shape"] for output in told["outputs"]}
    assert shapes == {"people": [-1], "keypoints": [-1, 18, 3], "scores": [-1], "boxes": [-1, 4]}


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
async def test_a_service_that_does_not_serve_is_alive_and_not_ready(
    running: Service, http: httpx.AsyncClient, state: State
) -> None:
    assert (await http.get("/v2/health/ready")).json() == {"ready": True}
    running.admission.state = state
    assert (await http.get("/v2/health/live")).json() == {"live": True}
    refused(await http.get("/v2/health/ready"), 503)
    refused(await http.get(f"/v2/models/{MODEL}/ready"), 503)
    refused(await http.post(URL, **in_json(BLANK)), 503)


async def test_a_request_for_no_model_is_refused_before_its_body_is_read(
    http: httpx.AsyncClient,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("the body is read")
        yield b""

    answer = await http.post("/v2/models/nobody/infer", content=body())
    assert "choose one of" in refused(answer, 404)
