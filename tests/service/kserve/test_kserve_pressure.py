"""KServe's protocol over HTTP under load: deadlines, bounds, and callers who leave."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Scope

from service.http.rest import create_app
from tests.service.kserve.asking import URL, in_json, outputs, refused
from tests.service.serving import BLANK, MODEL, gated, over_http, until


@pytest.mark.parametrize(
    "asked",
    [
        {"headers": {"X-Request-Timeout": "30ms"}, **in_json(BLANK)},
        in_json(BLANK, parameters={"timeout": 30_000}),
    ],
)
async def test_a_deadline_of_the_header_or_the_parameter_is_kept(asked: dict[str, Any]) -> None:
    with gated() as (running, _):
        async with over_http(running) as http:
            refused(await http.post(URL, **asked), 504)
    count = {"protocol": "kserve_http", "model": MODEL, "code": "deadline_exceeded"}
    assert running.count("pose_requests_total", **count) == 1


async def test_only_a_window_of_a_requests_pictures_is_in_the_system() -> None:
    with gated(stream_window=2, max_images=2) as (running, gate):
        async with over_http(running) as http:
            asked = asyncio.create_task(http.post(URL, **in_json(*[BLANK] * 5)))
            await until(lambda: gate.calls == 1)
            assert running.admission.inside == 2
            gate.opened.set()
            assert len(outputs(await asked)["people"]["data"]) == 5


async def test_above_the_bound_a_request_is_refused_with_a_time_to_come_back() -> None:
    with gated(max_images=1) as (running, gate):
        async with over_http(running) as http:
            first = asyncio.create_task(http.post(URL, **in_json(BLANK)))
            await until(lambda: gate.calls == 1)
            second = await http.post(URL, **in_json(BLANK))
            assert "admits 1" in refused(second, 429)
            assert int(second.headers["Retry-After"]) >= 1
            gate.opened.set()
            outputs(await first)


async def test_a_caller_who_leaves_frees_its_place() -> None:
    messages: asyncio.Queue[Message] = asyncio.Queue()
    body = json.dumps(in_json(BLANK)["json"]).encode()
    messages.put_nowait({"type": "http.request", "body": body, "more_body": False})

    async def send(_: Message) -> None:
        pass

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": URL,
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    with gated() as (running, gate):
        app = create_app(running.core)
        asked = asyncio.ensure_future(app(scope, messages.get, send))
        await until(lambda: gate.calls == 1)
        messages.put_nowait({"type": "http.disconnect"})
        await until(lambda: running.admission.inside == 0)
        await asked
    count = {"protocol": "kserve_http", "model": MODEL, "code": "cancelled"}
    assert running.count("pose_requests_total", **count) == 1
