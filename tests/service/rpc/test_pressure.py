"""gRPC when there is too much to do, too little time, a fault, or nobody left to answer."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from service.pb import pose_pb2 as pb
from tests.service.serving import (
    BLANK,
    MODEL,
    Failing,
    Gate,
    assert_rpc_refused,
    faulty,
    gated,
    model_of,
    over_grpc,
    service,
    until,
)

REQUEST = pb.EstimateRequest(image=BLANK)
INTERNAL, LATE = grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_full_system_says_when_to_come_back() -> None:
    with gated(max_images=2) as (running, gate):
        async with over_grpc(running) as stub:
            accepted = [stub.Estimate(REQUEST), stub.Estimate(REQUEST)]
            await until(lambda: running.admission.inside == 2)
            status = grpc.StatusCode.RESOURCE_EXHAUSTED
            refused = await assert_rpc_refused(stub, REQUEST, status, "overloaded")
            trailer = dict(refused.trailing_metadata())
            assert int(trailer["grpc-retry-pushback-ms"]) >= 1000
            gate.opened.set()
            assert [(await one).model for one in accepted] == [MODEL, MODEL]
            assert (await stub.Estimate(REQUEST)).model == MODEL


async def test_a_request_that_is_predicted_to_finish_past_its_deadline_is_shed_at_admission() -> (
    None
):
    with gated() as (running, gate):
        gate.opened.set()
        pace = running.registry.pace("network")
        for _ in range(30):
            pace.observe(1, 1000.0)
        async with over_grpc(running) as stub:
            refused = await assert_rpc_refused(stub, REQUEST, LATE, "deadline_exceeded")
            assert "would pass" in (refused.details() or "")
            assert running.count("pose_shed_total", reason="deadline") == 1
            assert gate.calls == 0
            pace.observe(1, 0.01)
            assert (await stub.Estimate(REQUEST)).model == MODEL


async def test_an_image_that_takes_longer_than_the_service_allows_is_given_up() -> None:
    with gated(timeout=0.05) as (running, gate):
        async with over_grpc(running) as stub:
            await assert_rpc_refused(stub, REQUEST, LATE, "deadline_exceeded")
            await assert_rpc_refused(stub, REQUEST, LATE, "deadline_exceeded")
            assert running.admission.inside == 0
            gate.opened.set()
            assert (await stub.Estimate(REQUEST)).model == MODEL
        assert gate.calls <= 2, "an image that was late took the engine's time"


async def test_the_deadline_of_the_caller_frees_the_place() -> None:
    with gated() as (running, _):
        async with over_grpc(running) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Estimate(REQUEST, timeout=0.05)
            assert refused.value.code() == LATE
            await until(lambda: running.admission.inside == 0)


async def test_a_caller_who_cancels_frees_the_place() -> None:
    with gated() as (running, gate):
        async with over_grpc(running) as stub:
            calls = [stub.Estimate(REQUEST), stub.Estimate(REQUEST)]
            await until(lambda: gate.calls == 1 and len(running.registry.lane("network")) == 1)
            for call in calls:
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
            await until(lambda: running.admission.inside == 0)
            counted = {"protocol": "grpc", "model": MODEL, "code": "cancelled"}
            assert running.count("pose_requests_total", **counted) == 2
            assert running.count("pose_cancelled_total", where="engine") == 2
            gate.opened.set()
            assert (await stub.Estimate(REQUEST)).model == MODEL
        assert gate.calls == 2, "an image that nobody waits for took the engine's time"


async def test_an_engine_that_fails_is_a_fault_of_the_service_and_tells_no_secrets() -> None:
    with service(model_of(Failing(ValueError("secret")))) as running:
        async with over_grpc(running) as stub:
            error = await assert_rpc_refused(stub, REQUEST, INTERNAL, "internal")
            assert "secret" not in (error.details() or "")


async def test_a_fault_outside_the_engine_is_answered_in_the_same_form() -> None:
    with service(model_of(Gate(), faulty)) as running:
        async with over_grpc(running) as stub:
            error = await assert_rpc_refused(stub, REQUEST, INTERNAL, "internal")
            assert "secret" not in (error.details() or "")
