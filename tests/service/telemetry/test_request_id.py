"""A request has an id, which its caller may choose and gets back."""

from __future__ import annotations

import logging
import re

import grpc
import pytest

from engines.geometry import Pixels
from engines.steps import Steps
from service.pb import pose_pb2 as pb
from service.telemetry.request_id import HEADER, request_id
from tests.service.logged import logged
from tests.service.serving import (
    BLANK,
    Gate,
    faulty,
    gated,
    model_of,
    nobody,
    over_grpc,
    over_http,
    service,
)

FRESH = re.compile(r"[0-9a-f]{32}")
UNFIT = ["", "a b", "a\tb", "naïve", "a\nb", "x" * 129, "\x7f"]


@pytest.mark.parametrize("sent", ["1", "a-b_c.d", '{"a":1}', "~" * 128])
def test_visible_ascii_is_kept(sent: str) -> None:
    assert request_id(sent) == sent


@pytest.mark.parametrize("sent", [None, *UNFIT])
def test_anything_else_is_replaced(sent: str | None) -> None:
    first, second = request_id(sent), request_id(sent)
    assert FRESH.fullmatch(first)
    assert first != second


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/models", 200), ("/v1/models/none", 404), ("/none", 404), ("/v1/poses", 405)],
)
async def test_over_http_the_callers_id_comes_back_with_answers_and_errors(
    path: str, status: int
) -> None:
    with gated() as (running, _):
        async with over_http(running) as http:
            answer = await http.get(path, headers={HEADER: "mine"})
    assert (answer.status_code, answer.headers[HEADER]) == (status, "mine")


async def test_over_http_a_request_without_an_id_gets_one() -> None:
    with gated() as (running, _):
        async with over_http(running) as http:
            first, second = [await http.get("/healthz") for _ in range(2)]
    assert FRESH.fullmatch(first.headers[HEADER])
    assert first.headers[HEADER] != second.headers[HEADER]


@pytest.mark.parametrize("sent", [unfit for unfit in UNFIT if "\n" not in unfit])
async def test_an_unfit_id_is_no_error_and_never_logged(sent: str) -> None:
    with gated() as (running, _), logged() as log:
        async with over_http(running) as http:
            answer = await http.get("/v1/models", headers={HEADER.encode(): sent.encode()})
    assert answer.status_code == 200
    assert FRESH.fullmatch(answer.headers[HEADER])
    assert [record["request_id"] for record in log.requests] == [answer.headers[HEADER]]


async def test_a_fault_outside_of_every_handler_carries_the_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fault(_: object) -> None:
        raise RuntimeError("secret")

    with gated() as (running, _):
        monkeypatch.setattr(type(running.registry), "served_models", fault)
        async with over_http(running) as http:
            answer = await http.get("/v1/models", headers={HEADER: "mine"})
    assert (answer.status_code, answer.headers[HEADER]) == (500, "mine")


async def test_over_grpc_the_callers_id_comes_back_before_the_answer() -> None:
    with gated() as (running, gate):
        gate.opened.set()
        async with over_grpc(running) as stub:
            call = stub.Estimate(pb.EstimateRequest(image=BLANK), metadata=((HEADER, "mine"),))
            await call
            assert dict(await call.initial_metadata())[HEADER] == "mine"
            assert dict(await call.trailing_metadata())[HEADER] == "mine"


async def test_over_grpc_a_call_without_an_id_gets_one() -> None:
    with gated() as (running, _):
        async with over_grpc(running) as stub:
            call = stub.ListModels(pb.ListModelsRequest())
            await call
            assert FRESH.fullmatch(dict(await call.trailing_metadata())[HEADER])


async def test_over_grpc_errors_carry_the_id_beside_their_code() -> None:
    with gated() as (running, _):
        async with over_grpc(running) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Estimate(
                    pb.EstimateRequest(image=b"no picture"), metadata=((HEADER, "mine"),)
                )
    trailer = dict(refused.value.trailing_metadata())
    assert (trailer[HEADER], trailer["posewire-code"]) == ("mine", "bad_image")


async def test_a_stream_has_one_id_told_as_it_begins() -> None:
    frames = [pb.EstimateStreamRequest(request=pb.EstimateRequest(image=BLANK))] * 2
    with gated() as (running, gate):
        gate.opened.set()
        async with over_grpc(running) as stub:
            call = stub.EstimateStream(iter(frames), metadata=((HEADER, "mine"),))
            assert dict(await call.initial_metadata())[HEADER] == "mine"
            assert len([answer async for answer in call]) == 2


async def test_what_is_logged_of_a_fault_in_the_pool_names_the_request() -> None:
    with service(model_of(Gate(), faulty)) as running, logged() as log:
        async with over_http(running) as http:
            answer = await http.post("/v1/poses", content=BLANK, headers={HEADER: "mine"})
    assert answer.status_code == 500
    fault, request = log.records
    assert (fault["level"], fault["request_id"]) == ("ERROR", "mine")
    assert "secret" in fault["exc_info"]
    assert (request["logger"], request["request_id"]) == ("posewire.requests", "mine")


async def test_what_the_pools_threads_log_names_the_request() -> None:
    def whispers(image: Pixels) -> Steps:
        logging.getLogger("posewire").warning("a whisper")
        return nobody(image)

    gate = Gate()
    gate.opened.set()
    with service(model_of(gate, whispers)) as running, logged() as log:
        async with over_http(running) as http:
            await http.post("/v1/poses", content=BLANK, headers={HEADER: "mine"})
    assert [record["request_id"] for record in log.records] == ["mine", "mine"]
