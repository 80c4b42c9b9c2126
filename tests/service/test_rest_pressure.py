"""REST when there is too much to do, too little time, a fault, or nobody left to answer."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message

from service.rest import create_app
from tests.service.pictures import encode, picture
from tests.service.serving import (
    MODEL,
    Failing,
    assert_error,
    assert_refused,
    faulty,
    files,
    gated,
    model_of,
    over_http,
    service,
    until,
)

IMAGE = encode(picture(), "PNG")
CANCELLED = {"protocol": "http", "model": MODEL, "code": "cancelled"}


def soon(client: httpx.AsyncClient, **more: str) -> asyncio.Task[httpx.Response]:
    """A request under way."""
    return asyncio.create_task(client.post("/v1/poses", content=IMAGE, headers=more))


async def test_a_full_system_says_when_to_come_back() -> None:
    with gated(max_images=2) as (running, gate):
        async with over_http(running) as http:
            accepted = [soon(http), soon(http)]
            await until(lambda: running.admission.inside == 2)
            refused = await soon(http)
            assert_refused(refused, 429, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
            assert running.count("pose_shed_total", reason="overloaded") == 1
            gate.opened.set()
            assert [(await one).status_code for one in accepted] == [200, 200]
            assert (await soon(http)).status_code == 200


async def test_pictures_of_a_form_for_which_there_is_no_room_fail_alone() -> None:
    with gated(max_images=2) as (running, gate):
        async with over_http(running) as http:
            sent = asyncio.create_task(http.post("/v1/poses", files=files(*[IMAGE] * 3)))
            await until(lambda: running.admission.inside == 2)
            gate.opened.set()
            first, second, third = (await sent).json()
            assert first["people"] == second["people"] == []
            assert_error(third, "overloaded")


async def test_an_image_whose_deadline_passes_is_given_up() -> None:
    with gated() as (running, gate):
        async with over_http(running) as http:
            late = [soon(http, **{"X-Request-Timeout": "50ms"}) for _ in range(2)]
            for one in late:
                assert_refused(await one, 504, "deadline_exceeded")
            assert running.admission.inside == 0
            gate.opened.set()
            assert (await soon(http)).status_code == 200
            assert gate.calls <= 2, "an image that was late took the engine's time"


async def test_the_longest_time_of_the_service_holds_for_patient_callers_too() -> None:
    with gated(timeout=0.05) as (running, _):
        async with over_http(running) as http:
            answer = await soon(http, **{"X-Request-Timeout": "1000"})
            assert_refused(answer, 504, "deadline_exceeded")


async def test_a_request_that_comes_too_slowly_is_given_up() -> None:
    with gated(timeout=0.05) as (running, _):
        app = create_app(running.core)
        caller = _Caller(app, more=True)
        await caller.done
        assert caller.status == 504


async def test_an_engine_that_fails_is_a_fault_of_the_service_and_tells_no_secrets() -> None:
    with service(model_of(Failing(ValueError("secret")))) as running:
        async with over_http(running) as http:
            answer = await soon(http)
            assert_refused(answer, 500, "internal")
            assert "secret" not in answer.text
            assert (await http.get("/readyz")).status_code == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_service_with_a_dead_engine_is_not_ready() -> None:
    with service(model_of(Failing(SystemExit()))) as running:
        async with over_http(running) as http:
            assert_refused(await soon(http), 500, "internal")
            await until(lambda: bool(running.registry.dead()))
            assert_refused(await soon(http), 503, "unavailable")
            assert running.count("pose_engine_up", model=MODEL) == 0
            ready = await http.get("/readyz")
            assert ready.status_code == 503
            assert MODEL in ready.json()["status"]


async def test_a_fault_outside_the_engine_is_answered_in_the_same_form() -> None:
    with service(model_of(Failing(ValueError()), faulty)) as running:
        async with over_http(running) as http:
            answer = await soon(http)
            assert_refused(answer, 500, "internal")
            assert "secret" not in answer.text


async def test_a_picture_that_meets_a_fault_fails_alone() -> None:
    with service(model_of(Failing(ValueError()), faulty)) as running:
        async with over_http(running) as http:
            answer = await http.post("/v1/poses", files=files(IMAGE, b"no picture"))
            fault, bad = answer.json()
            assert_error(fault, "internal")
            assert_error(bad, "bad_image")


@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
async def test_a_caller_who_leaves_frees_the_place(path: str) -> None:
    with gated() as (running, gate):
        app = create_app(running.core)
        working, waiting = _Caller(app, path), _Caller(app, path)
        await until(lambda: running.admission.inside == 2 and gate.calls == 1)
        for caller in (working, waiting):
            caller.leave()
            await caller.done
        assert running.admission.inside == 0
        assert running.count("pose_requests_total", **CANCELLED) == 2
        gate.opened.set()
        async with over_http(running) as http:
            assert (await soon(http)).status_code == 200
        assert gate.calls == 2, "an image that nobody waits for took the engine's time"


async def test_a_caller_who_leaves_before_the_whole_image_came_is_no_fault() -> None:
    with gated() as (running, _):
        app = create_app(running.core)
        caller = _Caller(app, more=True)
        caller.leave()
        await caller.done
        assert running.count("pose_requests_total", **CANCELLED) == 1


class _Caller:
    """Posts an image as an ASGI server would pass it on, and can leave before the answer.

    With `more`, the rest of the body never comes.
    """

    def __init__(self, app: FastAPI, path: str = "/v1/poses", *, more: bool = False) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._messages.put_nowait({"type": "http.request", "body": IMAGE, "more_body": more})
        self.status = 0
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [],
            "client": ("127.0.0.1", 1),
            "server": ("posewire", 80),
        }
        self.done = asyncio.create_task(app(scope, self._messages.get, self._send))

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
