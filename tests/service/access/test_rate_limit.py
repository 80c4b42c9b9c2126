"""How many requests may be sent with one API key in a time, over HTTP and gRPC together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from pydantic import ValidationError

from service.access.auth import Guard
from service.access.rate_limit import RateLimit, parse
from service.errors import RateLimitedError
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from service.settings import Settings
from tests.service.serving import (
    BLANK,
    Gate,
    Service,
    assert_refused,
    model_of,
    over_grpc,
    service,
)

ONE, OTHER = {"X-API-Key": "one"}, {"X-API-Key": "other"}
REQUEST = pb.EstimateRequest(image=BLANK)
MODELS = pb.ListModelsRequest()


@pytest.fixture
def running() -> Iterator[Service]:
    with limited("3/minute") as serving:
        yield serving


def limited(rate: str) -> Any:
    gate = Gate()
    gate.opened.set()
    return service(model_of(gate), api_keys=("one", "other"), rate_limit=rate)


def metadata(headers: dict[str, str]) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in headers.items()]


async def test_above_the_rate_of_its_key_a_request_is_told_when_to_come_back(
    http: httpx.AsyncClient, running: Service
) -> None:
    for _ in range(3):
        assert (await http.post("/v1/poses", content=BLANK, headers=ONE)).status_code == 200
    refused = await http.post("/v1/poses", content=BLANK, headers=ONE)
    assert_refused(refused, 429, "rate_limited")
    assert 55 <= int(refused.headers["retry-after"]) <= 60
    counted = {"protocol": "http", "model": "", "code": "rate_limited"}
    assert running.count("pose_requests_total", **counted) == 1
    assert running.count("pose_shed_total", reason="rate") == 1


async def test_another_key_has_a_rate_of_its_own(http: httpx.AsyncClient) -> None:
    for _ in range(4):
        await http.get("/v1/models", headers=ONE)
    assert (await http.get("/v1/models", headers=ONE)).status_code == 429
    assert (await http.get("/v1/models", headers=OTHER)).status_code == 200


async def test_both_protocols_share_the_rate_of_a_key(
    http: httpx.AsyncClient, stub: PoseServiceStub
) -> None:
    for _ in range(3):
        assert (await http.get("/v1/models", headers=ONE)).status_code == 200
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.ListModels(MODELS, metadata=metadata(ONE))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    trailer = dict(refused.value.trailing_metadata())
    assert trailer["posewire-code"] == "rate_limited"
    assert 55_000 <= int(trailer["grpc-retry-pushback-ms"]) <= 60_000


async def test_callers_without_a_key_and_health_use_up_nothing(http: httpx.AsyncClient) -> None:
    for _ in range(9):
        assert (await http.get("/v1/models")).status_code == 401
        assert (await http.get("/healthz", headers=ONE)).status_code == 200
    assert (await http.get("/v1/models", headers=ONE)).status_code == 200


async def test_a_stream_is_slowed_down_to_the_rate_of_its_key() -> None:
    with limited("2 per 1 second") as running:
        async with over_grpc(running) as stub:
            began = time.monotonic()
            frames = (
                pb.EstimateStreamRequest(frame_id=str(index), request=REQUEST) for index in range(5)
            )
            stream = stub.EstimateStream(frames, metadata=metadata(ONE))
            answers = [answer.frame_id async for answer in stream]
            assert answers == ["0", "1", "2", "3", "4"]
            assert 1.9 < time.monotonic() - began < 6


async def test_a_stream_above_the_rate_is_refused() -> None:
    with limited("1/minute") as running:
        async with over_grpc(running) as stub:
            await stub.ListModels(MODELS, metadata=metadata(ONE))
            stream = stub.EstimateStream(metadata=metadata(ONE))  # nothing is sent: see `over_grpc`
            assert await stream.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_the_window_moves() -> None:
    limit = RateLimit("2 per 1 second")
    limit.take("one")
    await asyncio.sleep(0.6)
    limit.take("one")
    with pytest.raises(RateLimitedError):
        limit.take("one")
    await asyncio.sleep(0.5)  # the first one is out of it, the second one is not
    limit.take("one")
    with pytest.raises(RateLimitedError):
        limit.take("one")


@pytest.mark.parametrize(
    "rate", ["", "100", "a/minute", "0/minute", "-1/second", "5/fortnight", "100001/day", "1e9/s"]
)
def test_what_is_no_rate_is_refused_by_the_name_of_its_setting(rate: str) -> None:
    with pytest.raises(ValidationError) as failed:
        Settings(rate_limit=rate)
    assert [problem["loc"] for problem in failed.value.errors()] == [("rate_limit",)]


@pytest.mark.parametrize(
    ("rate", "requests"),
    [("100/minute", 100), ("10 per 5 second", 10), ("1/day", 1), ("20/second", 20)],
)
def test_a_rate_may_be_of_any_time(rate: str, requests: int) -> None:
    assert parse(rate).amount == requests
    assert Settings(rate_limit=rate).rate_limit == rate


def test_a_rate_without_keys_is_an_error() -> None:
    with pytest.raises(ValueError, match="POSEWIRE_API_KEYS"):
        Guard.of(Settings(rate_limit="1/second"))
