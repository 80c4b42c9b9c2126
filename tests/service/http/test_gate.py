"""Where there is no room, pictures are refused before they have come."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from service.admission import State
from tests.service.serving import BLANK, MODEL, Service, assert_sentence, gated, until
from tests.service.sockets import Caller, Web, over_sockets, start

LONG = 4_000_000  # bytes, more than the sockets between the two hold
HEAD = start(f"Content-Length: {LONG}")


@pytest.fixture
async def full() -> AsyncIterator[tuple[Service, Web]]:
    """A service without room for another picture."""
    with gated(max_images=1) as (running, _):
        async with over_sockets(running) as web:
            with running.admission.admit():
                yield running, web


@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
async def test_the_answer_beyond_the_bound_is_immediate(
    full: tuple[Service, Web], path: str
) -> None:
    running, web = full
    async with web.connected() as caller:
        caller.write(start(f"Content-Length: {LONG}", path=f"{path}?model={MODEL}"))
        head = (await caller.head()).decode().lower()
        assert head.startswith("http/1.1 429 ")
        assert "retry-after: 1\r\n" in head
    refused = {"protocol": "http", "model": MODEL, "code": "overloaded"}
    assert running.count("pose_requests_total", **refused) == 1
    assert running.count("pose_shed_total", reason="capacity") == 1


async def test_a_refused_caller_keeps_its_connection(full: tuple[Service, Web]) -> None:
    _, web = full
    async with web.connected() as caller:
        for _ in range(3):
            caller.write(HEAD)
            await skip(caller, 429)
            caller.write(bytes(LONG))
        caller.write(start(path="/healthz", method="GET"))
        await skip(caller, 200)


async def test_a_caller_who_sends_all_before_it_listens_reads_the_refusal(
    full: tuple[Service, Web],
) -> None:
    _, web = full
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}") as client:
        for _ in range(3):
            answer = await client.post("/v1/poses", content=bytes(LONG))
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
        assert web.connections == 1


async def test_what_is_no_picture_is_answered_all_the_same(full: tuple[Service, Web]) -> None:
    _, web = full
    for path in ("/healthz", "/readyz", "/v1/models", "/metrics"):
        answer = await web.send(start("Connection: close", path=path, method="GET"))
        assert answer.status == 200


async def test_pictures_by_kserve_are_refused_in_its_own_form(full: tuple[Service, Web]) -> None:
    running, web = full
    path = f"/v2/models/{MODEL}/infer"
    answer = await web.send(start("Content-Length: 0", "Connection: close", path=path))
    assert answer.status == 429
    assert_sentence(answer.json["error"])
    refused = {"protocol": "kserve_http", "model": MODEL, "code": "overloaded"}
    assert running.count("pose_requests_total", **refused) == 1


async def test_who_may_not_call_is_not_told_how_full_it_is() -> None:
    with gated(max_images=1, api_keys="key") as (running, _), running.admission.admit():
        async with over_sockets(running) as web:
            answer = await web.send(start("Content-Length: 0", "Connection: close"))
            answer.assert_refused(401, "unauthorized")


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
async def test_a_service_that_does_not_serve_says_when_to_come_back(state: State) -> None:
    reason = "draining" if state is State.DRAINING else "unavailable"
    with gated(state=state) as (running, _):
        async with over_sockets(running) as web:
            for path, method in (("/v1/poses", "POST"), ("/v1/models", "GET"), ("/readyz", "GET")):
                head = start("Content-Length: 0", "Connection: close", path=path, method=method)
                answer = await web.send(head)
                assert answer.status == 503
                assert "retry-after: 1" in answer.head.split("\r\n")
            assert running.count("pose_shed_total", reason=reason) == 1


async def test_while_it_drains_every_answer_closes_its_connection() -> None:
    with gated() as (running, gate):
        async with over_sockets(running) as web, web.connected() as early:
            early.write(start(f"Content-Length: {len(BLANK)}"), BLANK)
            await until(lambda: running.admission.inside == 1)
            running.admission.state = State.DRAINING
            refused = await web.send(start("Content-Length: 0"))
            missed = await web.send(start(path="/nowhere", method="GET"))
            alive = await web.send(start(path="/healthz", method="GET"))
            gate.opened.set()
            answers = [await early.rest(), refused, missed, alive]
            assert [answer.status for answer in answers] == [200, 503, 404, 200]
            assert all("connection: close" in answer.head.split("\r\n") for answer in answers)


async def test_while_it_drains_nobody_loses_the_refusal_of_a_picture_that_is_on_its_way() -> None:
    with gated(state=State.DRAINING) as (running, _):
        async with over_sockets(running) as web:
            for _ in range(3):
                async with web.connected() as caller:
                    caller.write(HEAD)
                    head = await caller.head()
                    await caller.flush(bytes(LONG))
                    answer = await caller.rest()
                    assert head.startswith(b"HTTP/1.1 503 ")
                    assert json.loads(answer.raw)["error"]["code"] == "unavailable"


async def test_while_it_drains_a_refusal_is_whole_before_the_rest_of_the_picture_has_come() -> None:
    with gated(state=State.DRAINING) as (running, _):
        async with over_sockets(running) as web, web.connected() as caller:
            caller.write(HEAD)
            await skip(caller, 503)


async def skip(caller: Caller, status: int) -> None:
    """Reads an answer of that status."""
    head = (await caller.head()).decode().lower()
    assert head.startswith(f"http/1.1 {status} "), head
    length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
    await caller.reader.readexactly(int(length.partition(":")[2]))
