"""A line in the log for each request says how it went, and nothing that is nobody's business."""

from __future__ import annotations

import logging

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio

from engines.model import Model
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from service.rpc.server import create_server
from tests.service.logged import Logged, logged
from tests.service.serving import BLANK, MODEL, gated, lent, over_grpc, over_http, service, until


async def written(log: Logged, lines: int = 1) -> None:
    """A line is written after its caller has the answer."""
    await until(lambda: len(log.lines) == lines)


async def test_a_request_over_http_is_one_line(model: Model, astronaut: bytes) -> None:
    with service(lent(model)) as running, logged() as log:
        async with over_http(running) as http:
            answer = await http.post("/v1/poses", content=astronaut)
    (record,) = log.records
    assert record.pop("time").endswith("+00:00")
    assert 0 < record.pop("milliseconds") < 60_000
    assert record.pop("message").startswith(f"POST /v1/poses 200 ok model={MODEL} ms=")
    assert record == {
        "level": "INFO",
        "logger": "posewire.requests",
        "request_id": answer.headers["x-request-id"],
        "protocol": "http",
        "method": "POST /v1/poses",
        "status": 200,
        "code": "ok",
        "model": MODEL,
        "bytes": len(astronaut),
        "images": 1,
        "people": 1,
    }


async def test_a_call_over_grpc_is_one_line() -> None:
    request = pb.EstimateRequest(image=BLANK)
    with gated() as (running, gate), logged() as log:
        gate.opened.set()
        async with over_grpc(running) as stub:
            await stub.Estimate(request)
            await written(log)
    (record,) = log.records
    told = {name: record[name] for name in ("protocol", "method", "status", "code", "bytes")}
    assert told == {
        "protocol": "grpc",
        "method": "/pose.v1.PoseService/Estimate",
        "status": "OK",
        "code": "ok",
        "bytes": request.ByteSize(),
    }
    assert (record["model"], record["images"], record["people"]) == (MODEL, 1, 0)


async def test_a_stream_is_one_line_with_the_images_of_its_frames() -> None:
    frames = [pb.EstimateStreamRequest(request=pb.EstimateRequest(image=BLANK))] * 3
    with gated() as (running, gate), logged() as log:
        gate.opened.set()
        async with over_grpc(running) as stub:
            assert len([answer async for answer in stub.EstimateStream(iter(frames))]) == 3
            await written(log)
    (record,) = log.records
    assert record["method"] == "/pose.v1.PoseService/EstimateStream"
    assert (record["status"], record["images"]) == ("OK", 3)
    assert record["bytes"] == sum(frame.ByteSize() for frame in frames)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/v1/poses", b"no picture", 400, "bad_image"),
        ("POST", "/v1/poses?model=none", BLANK, 404, "unknown_model"),
        ("GET", "/none", b"", 404, "-"),
    ],
)
async def test_errors_are_told_by_status_and_code(
    method: str, path: str, body: bytes, status: int, code: str
) -> None:
    with gated() as (running, _), logged() as log:
        async with over_http(running) as http:
            await http.request(method, path, content=body)
    (record,) = log.records
    assert (record["status"], record["code"]) == (status, code)


async def test_a_refused_call_is_told_by_its_status() -> None:
    with gated() as (running, _), logged() as log:
        async with over_grpc(running) as stub:
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.Estimate(pb.EstimateRequest(image=b"no picture"))
            await written(log)
    (record,) = log.records
    assert (record["status"], record["code"]) == ("INVALID_ARGUMENT", "bad_image")


async def test_a_caller_who_leaves_is_told_of() -> None:
    with gated() as (running, gate), logged() as log:
        async with over_grpc(running) as stub:
            call = stub.Estimate(pb.EstimateRequest(image=BLANK))
            await until(lambda: gate.calls == 1)
            call.cancel()
            await written(log)
    (record,) = log.records
    assert (record["status"], record["code"]) == ("CANCELLED", "cancelled")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_probes_are_told_of_at_debug_alone(path: str) -> None:
    with gated() as (running, _):
        async with over_http(running) as http:
            with logged() as quiet:
                await http.get(path)
            with logged(level=logging.DEBUG) as loud:
                await http.get(path)
    assert not quiet.lines
    (record,) = loud.requests
    assert (record["level"], record["method"]) == ("DEBUG", f"GET {path}")


async def test_probes_over_grpc_are_not_told_of() -> None:
    health = health_aio.HealthServicer()
    with gated() as (running, _), logged(level=logging.DEBUG) as log:
        server = create_server(running.core, health)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            probes = health_pb2_grpc.HealthStub(channel)
            asked = health_pb2.HealthCheckRequest()
            watch = probes.Watch(asked)
            serving = health_pb2.HealthCheckResponse.SERVING
            assert (await probes.Check(asked)).status == serving
            assert (await watch.read()).status == serving
            watch.cancel()
            stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            await stub.ListModels(pb.ListModelsRequest())
            await until(lambda: bool(log.requests))
        await server.stop(None)
    (record,) = log.requests
    assert record["method"] == "/pose.v1.PoseService/ListModels"


async def test_nothing_that_a_caller_says_is_logged_but_the_path(astronaut: bytes) -> None:
    secret = "0123secret"  # noqa: S105 - to look for in the log
    headers = {"Authorization": f"Bearer {secret}", "X-API-Key": secret, "Cookie": secret}
    query = {"model": MODEL, "min_score": "0.5", "detector": secret}
    with gated() as (running, gate), logged(level=logging.DEBUG) as log:
        gate.opened.set()
        async with over_http(running) as http:
            await http.post("/v1/poses", params=query, content=astronaut, headers=headers)
            await http.post("/v1/poses", params={"model": secret}, content=BLANK, headers=headers)
    assert len(log.requests) == 2
    text = "\n".join(log.lines)
    assert secret not in text
    assert "min_score" not in text
    assert "JFIF" not in text


@pytest.mark.parametrize("path", ["/v1/models/a%0Ab", "/v1/models/%00%1b%5b2J", "/" + "x" * 5000])
async def test_a_path_cannot_forge_a_line(path: str) -> None:
    with gated() as (running, _), logged("text") as log:
        async with over_http(running) as http:
            await http.get(path)
    (line,) = log.lines
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 500
