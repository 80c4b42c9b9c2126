"""gRPC calls as a replica answers them: with their status and trailer, whatever becomes of them."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from service.errors import InternalError
from service.pb import pose_pb2 as pb
from tests.service.serving import (
    BLANK,
    Failing,
    Service,
    assert_sentence,
    gated,
    model_of,
    service,
)

with warnings.catch_warnings(action="ignore"):  # of Ray's own configuration
    pytest.importorskip("ray.serve", reason="needs ray[serve], which is not installed")
    from ray.serve.grpc_util import RayServegRPCContext

    from service.ray.proxy import METHOD
    from service.ray.rpc import Calls, Status


ESTIMATE = "/pose.v1.PoseService/Estimate"


def context(method: str = ESTIMATE, **metadata: str) -> RayServegRPCContext:
    """As a replica gets it."""
    sent = {METHOD: method, **metadata}
    empty: Any = dict.fromkeys(("code", "details", "auth_context", "peer"), lambda: None)
    empty |= dict.fromkeys(("peer_identities", "peer_identity_key"), lambda: None)
    given = SimpleNamespace(
        **empty,
        invocation_metadata=lambda: tuple(sent.items()),
        trailing_metadata=lambda: (("request_id", "rays"),),
    )
    return RayServegRPCContext(given)


async def ended(
    running: Service, given: RayServegRPCContext, message: bytes = b""
) -> tuple[grpc.StatusCode, dict[str, str]]:
    """How a call with one message ends: its status and trailer."""
    answer = await Calls(running.core).one(message, given)
    assert isinstance(answer, Status)
    assert_sentence(given.details())
    return given.code(), dict(given.trailing_metadata())


async def test_a_call_that_is_refused_ends_with_its_status_and_trailer() -> None:
    with gated(max_images=1) as (running, _), running.admission.admit():
        code, trailer = await ended(running, context(**{"x-request-id": "mine"}))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert trailer == {
        "request_id": "rays",
        "x-request-id": "mine",
        "posewire-code": "overloaded",
        "grpc-retry-pushback-ms": "1000",
    }


async def test_a_call_needs_a_key_where_keys_are_set() -> None:
    message = pb.EstimateRequest(model="other").SerializeToString()
    with gated(api_keys=("secret",)) as (running, _):
        assert (await ended(running, context()))[0] == grpc.StatusCode.UNAUTHENTICATED
        known = context(**{"x-api-key": "secret"})
        assert (await ended(running, known, message))[0] == grpc.StatusCode.NOT_FOUND


async def test_a_call_has_the_deadline_that_the_proxy_tells() -> None:
    message = pb.EstimateRequest(image=BLANK).SerializeToString()
    with gated() as (running, _):
        code, _trailer = await ended(running, context(**{"posewire-left": "0.05"}), message)
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_fault_in_a_call_is_one_of_the_service_and_tells_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with gated() as (running, _):
        given = context("/pose.v1.PoseService/None")
        code, trailer = await ended(running, given)
    assert (code, trailer["posewire-code"]) == (grpc.StatusCode.INTERNAL, InternalError.code)
    assert "None" not in given.details()
    assert "A call failed" in caplog.text


async def test_a_stream_ends_with_a_status_after_its_answers() -> None:
    frame = pb.EstimateStreamRequest(frame_id="only", request=pb.EstimateRequest(image=BLANK))

    async def frames() -> AsyncIterator[bytes]:
        yield frame.SerializeToString()
        yield b"\xff"

    with service(model_of(Failing(ValueError()))) as running:
        given = context("/pose.v1.PoseService/EstimateStream")
        first, last = [one async for one in Calls(running.core).several(frames(), given)]
    assert first.frame_id == "only"
    assert isinstance(last, Status)
    assert given.code() == grpc.StatusCode.INVALID_ARGUMENT
