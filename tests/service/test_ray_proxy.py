"""What callers meet in Ray's proxies where no replica answers."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.service.serving import assert_refused, assert_rpc_refused

with warnings.catch_warnings(action="ignore"):  # of Ray's own configuration
    pytest.importorskip("ray.serve", reason="needs ray[serve], which is not installed")
    from ray.serve._private.grpc_util import gRPCGenericServer

    from service.ray.proxy import METHOD, HttpProxied, add_services


DEADLINE, FULL = grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED


@asynccontextmanager
async def proxied(*messages: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """Calls a proxy of Ray's that answers so, and has named the request as Ray does."""

    async def ray(scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"] = [*scope["headers"], (b"x-request-id", b"rays")]
        for message in messages:
            await send(message)

    transport = httpx.ASGITransport(HttpProxied(cast("ASGIApp", ray)))
    async with httpx.AsyncClient(transport=transport, base_url="http://posewire") as client:
        yield client


def start(status: int, *ids: bytes) -> dict[str, Any]:
    headers = [(b"x-request-id", one) for one in ids]
    return {"type": "http.response.start", "status": status, "headers": headers}


BODY = {"type": "http.response.body", "body": b"said"}


@pytest.mark.parametrize(
    "messages",
    [(), (start(200, b"own", b"rays"),), (start(500, b"rays"), BODY), (start(404, b"rays"), BODY)],
    ids=["nothing", "no body", "a fault", "no application"],
)
async def test_what_no_replica_answers_over_http_may_be_sent_again(
    messages: tuple[dict[str, Any], ...],
) -> None:
    async with proxied(*messages) as client:
        answer = await client.post("/v1/poses")
    assert_refused(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["x-request-id"] == "rays"


@pytest.mark.parametrize(
    ("rays", "status", "code"), [(408, 504, "deadline_exceeded"), (429, 429, "overloaded")]
)
async def test_a_refusal_of_rays_has_our_form(rays: int, status: int, code: str) -> None:
    async with proxied(start(rays, b"rays"), BODY) as client:
        assert_refused(await client.post("/v1/poses"), status, code)


async def test_what_a_replica_answers_is_passed_on_with_its_id_alone() -> None:
    async with proxied(start(500, b"own", b"rays"), BODY) as client:
        answer = await client.post("/v1/poses")
    assert (answer.status_code, answer.content) == (500, b"said")
    assert answer.headers.get_list("x-request-id") == ["own"]


@asynccontextmanager
async def calling(code: grpc.StatusCode, **trailer: str) -> AsyncIterator[PoseServiceStub]:
    """Calls a gRPC proxy of Ray's own whose calls, passed to no replica, end with this code."""

    def factory(service_method: str, _: object) -> Any:
        async def end(message: bytes, context: Any) -> bytes:
            assert (METHOD, service_method.removesuffix("/call")) in context.invocation_metadata()
            context.set_code(code)
            context.set_details("of Ray")
            context.set_trailing_metadata(tuple(trailer.items()))
            return b""

        return end

    server = gRPCGenericServer(factory)
    add_services(None, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("rays", "status", "code"),
    [
        (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE, "unavailable"),
        (grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE, "unavailable"),
        (DEADLINE, DEADLINE, "deadline_exceeded"),
        (FULL, FULL, "overloaded"),
    ],
)
async def test_what_ray_says_over_grpc_has_our_form(
    rays: grpc.StatusCode, status: grpc.StatusCode, code: str
) -> None:
    async with calling(rays) as stub:
        await assert_rpc_refused(stub, pb.EstimateRequest(), status, code)


async def test_what_a_replica_says_over_grpc_is_passed_on() -> None:
    async with calling(grpc.StatusCode.INTERNAL, **{"posewire-code": "internal"}) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await stub.Estimate(pb.EstimateRequest())
    assert (failed.value.code(), failed.value.details()) == (grpc.StatusCode.INTERNAL, "of Ray")
