"""REST when there is too much to do, too little time, a fault, or nobody left to answer."""

from __future__ import annotations

import asyncio
import time

import httpx
import numpy as np
import pytest
from starlette.types import ASGIApp, Message

from engines.geometry import Pixels
from engines.runtime.engine import Batch, Maps
from engines.steps import Steps
from service.http.rest import create_app
from tests.service.fakes import PATIENCE_S, AtOnce
from tests.service.pictures import encode, picture
from tests.service.serving import (
    MODEL,
    Failing,
    Gate,
    assert_error,
    assert_refused,
    faulty,
    files,
    gated,
    model_of,
    nobody,
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
            assert running.count("pose_shed_total", reason="capacity") == 1
            gate.opened.set()
            assert [(await one).status_code for one in accepted] == [200, 200]
            assert (await soon(http)).status_code == 200


async def test_the_bound_follows_from_the_engines_of_the_first_model() -> None:
    with gated() as (running, gate):
        async with over_http(running) as http:
            accepted = [soon(http) for _ in range(3 * gate.max_batch)]
            await until(lambda: running.admission.inside == len(accepted))
            assert_refused(await soon(http), 429, "overloaded")
            gate.opened.set()
            assert {(await one).status_code for one in accepted} == {200}


async def test_a_form_of_more_images_than_there_is_room_for_is_answered_whole() -> None:
    gate, inside = Gate(), []

    def steps(image: Pixels) -> Steps:
        inside.append(running.admission.inside)
        return (yield from nobody(image))

    gate.opened.set()
    with service(model_of(gate, steps), max_images=3) as running:
        async with over_http(running) as http:
            answers = (await http.post("/v1/poses", files=files(*[IMAGE] * 16))).json()
            assert [answer["people"] for answer in answers] == [[]] * 16
    assert max(inside) == 3


async def test_a_form_has_no_more_than_a_window_in_the_system() -> None:
    with gated(max_images=64, stream_window=2) as (running, gate):
        async with over_http(running) as http:
            sent = asyncio.create_task(http.post("/v1/poses", files=files(*[IMAGE] * 5)))
            await until(lambda: running.admission.inside == 2 and gate.calls == 1)
            gate.opened.set()
            assert len((await sent).json()) == 5


async def test_pictures_of_a_form_for_which_there_is_no_room_fail_alone() -> None:
    with gated(max_images=2) as (running, gate):
        async with over_http(running) as http:
            with running.admission.admit():
                sent = asyncio.create_task(http.post("/v1/poses", files=files(*[IMAGE] * 2)))
                await until(lambda: running.count("pose_shed_total", reason="capacity") == 1)
                gate.opened.set()
                first, second = (await sent).json()
            assert first["people"] == []
            assert_error(second, "overloaded")


@pytest.mark.parametrize("path", ["/v1/poses", "/v1/render"])
async def test_a_request_past_its_deadline_never_reaches_an_engine(path: str) -> None:
    with gated() as (running, gate):
        async with over_http(running) as http:
            answer = await http.post(path, content=IMAGE, headers={"X-Request-Timeout": "0ms"})
            assert_refused(answer, 504, "deadline_exceeded")
            assert running.count("pose_shed_total", reason="deadline") == 1
        assert gate.calls == 0


async def test_a_request_that_is_predicted_to_finish_past_its_deadline_is_shed_at_admission() -> (
    None
):
    slow = Slow()
    with service(model_of(slow)) as running:
        async with over_http(running) as http:
            for _ in range(30):
                assert (await soon(http)).status_code == 200
            refused = await soon(http, **{"X-Request-Timeout": "25ms"})
            assert_refused(refused, 504, "deadline_exceeded")
            assert "would pass" in refused.json()["error"]["message"]
            assert running.count("pose_shed_total", reason="deadline") == 1
            assert slow.calls == 30
            assert (await soon(http, **{"X-Request-Timeout": "5s"})).status_code == 200


async def test_a_request_that_cannot_be_answered_in_time_is_shed_before_its_body_has_come() -> None:
    with gated() as (running, _):
        for _ in range(30):
            running.registry.pace("network").observe(1, 1000.0)
        caller = _Caller(create_app(running.core), more=True)
        await asyncio.wait_for(caller.done, PATIENCE_S)
        assert caller.status == 504


async def test_a_drawing_is_made_in_its_place_in_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside: list[int] = []

    def watched(image: Pixels, *_: object) -> Pixels:
        inside.append(running.admission.inside)
        return image

    monkeypatch.setattr("service.estimator.draw", watched)
    with gated() as (running, gate):
        gate.opened.set()
        async with over_http(running) as http:
            assert (await http.post("/v1/render", content=IMAGE)).status_code == 200
    assert inside == [1]


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
            assert_refused(await soon(http), 503, "unavailable")
            await until(lambda: bool(running.registry.dead()))
            refused = await soon(http)
            assert_refused(refused, 503, "unavailable")
            assert refused.headers["retry-after"] == "1"
            assert running.count("pose_engine_up", model=MODEL, device="cpu") == 0
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
        await until(lambda: gate.calls == 1 and len(running.registry.lane("network")) == 1)
        for caller in (working, waiting):
            caller.leave()
            await caller.done
        assert running.admission.inside == 0
        assert running.count("pose_requests_total", **CANCELLED) == 2
        assert running.count("pose_cancelled_total", where="engine") == 2
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
        assert running.count("pose_cancelled_total", where="body") == 1


class Slow(AtOnce):
    """An engine that takes its time."""

    name = "test"
    max_batch = 1
    calls = 0

    def infer(self, batch: Batch) -> Maps:
        self.calls += 1
        time.sleep(0.03)
        return {"maps": np.zeros((len(batch), 1), np.float32)}


class _Caller:
    """Posts an image as an ASGI server would pass it on, and can leave before the answer.

    With `more`, the rest of the body never comes.
    """

    def __init__(self, app: ASGIApp, path: str = "/v1/poses", *, more: bool = False) -> None:
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
        self.done = asyncio.ensure_future(app(scope, self._messages.get, self._send))

    def leave(self) -> None:
        self._messages.put_nowait({"type": "http.disconnect"})

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
