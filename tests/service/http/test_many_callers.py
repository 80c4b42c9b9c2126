"""Many callers and connections at once, however idle or greedy, are bounded."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.service.serving import BLANK, Gate, model_of, service, until
from tests.service.sockets import Web, over_sockets, post, start

CLOSE = "Connection: close"


async def test_requests_that_do_not_wait_for_answers_are_bounded() -> None:
    gate = Gate()
    with service(model_of(gate)) as running:
        async with over_sockets(running) as web:
            get = start("Content-Length: 0", path="/healthz", method="GET")
            answer = await web.send(start(f"Content-Length: {len(BLANK)}") + BLANK + get * 50)
            gate.opened.set()
            assert answer.raw == b""
            assert answer.seconds < 1
            assert (await web.send(post(BLANK))).status == 200


async def test_an_answer_that_nobody_takes_is_given_up() -> None:
    with service(model_of(Gate())) as running:
        async with over_sockets(running, body_s=0.5) as web, web.connected() as caller:
            caller.pause()
            get = start(path="/static-offline-docs/swagger-ui-bundle.js", method="GET")
            caller.write(get * 8)
            await until(lambda: web.connections == 1)
            await until(lambda: web.connections == 0)


async def test_large_bodies_that_come_at_once_are_bounded_together() -> None:
    gate = Gate()
    gate.opened.set()
    with service(model_of(gate), max_bytes=100_000, max_held_bytes=250_000) as running:
        async with over_sockets(running) as web, AsyncStack(web, 3) as callers:
            for caller in callers:
                caller.write(start("Content-Length: 90000", CLOSE), bytes(89_999))
            last = [asyncio.ensure_future(caller.rest()) for caller in callers]
            refused, waiting = await asyncio.wait(last, return_when=asyncio.FIRST_COMPLETED)
            assert len(waiting) == 2
            refused.pop().result().assert_refused(429, "overloaded")
            for caller in callers:
                caller.write(b"x")
            assert [(await one).status for one in waiting] == [400, 400]
            assert (await web.send(post(BLANK))).status == 200


async def test_above_the_most_connections_all_but_health_is_refused() -> None:
    gate = Gate()
    gate.opened.set()
    with service(model_of(gate), max_connections=3) as running:
        async with over_sockets(running, head_s=5.0) as web, AsyncStack(web, 3):
            answer = await web.send(post(BLANK))
            answer.assert_refused(429, "overloaded")
            assert "retry-after: 1" in answer.head
            health = start(CLOSE, path="/readyz", method="GET")
            assert (await web.send(health)).status == 200


async def test_far_above_the_most_connections_the_idle_ones_make_room() -> None:
    with service(model_of(Gate()), max_connections=3) as running:
        async with over_sockets(running, head_s=60.0) as web, AsyncStack(web, 80) as idle:
            health = start(CLOSE, path="/readyz", method="GET")
            assert (await web.send(health)).status == 200
            first = await idle[0].rest()
            assert (first.raw, first.seconds < 5) == (b"", True)


async def test_those_who_were_answered_make_room_as_well() -> None:
    with service(model_of(Gate()), max_connections=3) as running:
        async with over_sockets(running, idle_s=60) as web, AsyncStack(web, 67) as idle:
            for caller in idle:
                caller.write(start(path="/healthz", method="GET"))
                await caller.head()
            health = start(CLOSE, path="/readyz", method="GET")
            assert (await web.send(health)).status == 200


class AsyncStack:
    """So many callers who are connected and say nothing."""

    def __init__(self, web: Web, many: int) -> None:
        self._web, self._many = web, many

    async def __aenter__(self) -> list[Any]:
        self._open = [self._web.connected() for _ in range(self._many)]
        return [await one.__aenter__() for one in self._open]

    async def __aexit__(self, *_: object) -> None:
        for one in self._open:
            await one.__aexit__(None, None, None)
