"""gRPC calls that are made to harm end in bounded time, with a clear refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.service.serving import BLANK, Gate, Service, model_of, over_channel, service

ESTIMATE, STREAM = "/pose.v1.PoseService/Estimate", "/pose.v1.PoseService/EstimateStream"
MALFORMED = [b"\xff\xff\xff\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 10_000, b"\x0a\x05abc"]
REQUEST = pb.EstimateRequest(image=BLANK)


@pytest.fixture
def running() -> Iterator[Service]:
    gate = Gate()
    gate.opened.set()
    limits: Any = {"max_bytes": 100_000, "max_request_bytes": 300_000, "max_connections": 3}
    with service(model_of(gate), **limits) as serving:
        yield serving


@pytest.fixture
async def channel(running: Service) -> AsyncIterator[Any]:
    """It has answered, and does so again when the test is over."""
    async with over_channel(running) as opened:
        stub = PoseServiceStub(opened)  # type: ignore[no-untyped-call] # generated
        await stub.Estimate(REQUEST)
        yield opened
        await stub.Estimate(REQUEST)


async def refusal(call: Any) -> tuple[grpc.StatusCode, str]:
    """Of a call's status and our code."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async with asyncio.timeout(10):
            await call
    return refused.value.code(), dict(refused.value.trailing_metadata()).get("posewire-code", "")


@pytest.mark.parametrize("message", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_malformed_message_is_refused_and_no_fault(
    channel: Any, message: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    refused = (grpc.StatusCode.INVALID_ARGUMENT, "bad_parameter")
    assert await refusal(channel.unary_unary(ESTIMATE)(message)) == refused
    frames = [pb.EstimateStreamRequest(request=REQUEST).SerializeToString(), message]
    stream = channel.stream_stream(STREAM)(iter(frames))

    async def answers() -> None:
        async for _ in stream:
            pass

    assert await refusal(answers()) == refused
    assert not [record for record in caplog.records if record.exc_info]


@pytest.mark.parametrize("method", [ESTIMATE, STREAM, "/grpc.health.v1.Health/Check"])
async def test_a_message_that_is_too_large_is_refused(channel: Any, method: str) -> None:
    status, _ = await refusal(channel.unary_unary(method)(bytes(300_001)))
    assert status == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("how", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_a_message_that_unfolds_to_more_is_refused(
    channel: Any, how: grpc.Compression
) -> None:
    bomb = channel.unary_unary(ESTIMATE)(bytes(30_000_000), compression=how)
    status, _ = await refusal(bomb)
    assert status == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "metadata",
    [
        [("x-long", "x" * 100_000)],
        [(f"x-{index}", "x" * 50) for index in range(2000)],
        [("x-api-key", "x" * 20_000)],
    ],
    ids=["long", "many", "key"],
)
async def test_huge_metadata_is_refused(channel: Any, metadata: list[tuple[str, str]]) -> None:
    status, _ = await refusal(channel.unary_unary(ESTIMATE)(b"", metadata=metadata))
    assert status == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("method", ["/pose.v1.PoseService/../Estimate", "/a/b", "/" + "x" * 3000])
async def test_a_method_that_is_not_there_is_refused(channel: Any, method: str) -> None:
    status, _ = await refusal(channel.unary_unary(method)(b""))
    assert status == grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00" + bytes(100),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000,
        bytes(100_000),
    ],
    ids=["http 1", "tls", "frames", "zeros"],
)
async def test_garbage_in_place_of_http_2_ends_the_connection(
    running: Service, channel: Any, garbage: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(channel))
    writer.write(garbage)
    async with asyncio.timeout(5):
        try:
            while await reader.read(1 << 16):
                pass
        except ConnectionError:
            pass  # ended all the same
    writer.close()


async def test_connections_above_the_most_are_closed(running: Service, channel: Any) -> None:
    connections = [await asyncio.open_connection("127.0.0.1", port_of(channel)) for _ in range(9)]
    async with asyncio.timeout(5):
        ended = [asyncio.ensure_future(reader.read()) for reader, _ in connections]
        while sum(one.done() for one in ended) < 7:
            await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED, timeout=0.1)
    health = health_pb2_grpc.HealthStub(channel)
    await health.Check(health_pb2.HealthCheckRequest())
    for _, writer in connections:
        writer.close()
    for one in ended:
        one.cancel()


def port_of(channel: Any) -> int:
    """Of the server that it is connected with."""
    return int(channel._channel.target.rpartition(b":")[2])
