"""A gRPC stream: frames in, people out, in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from engines.geometry import Pixels
from engines.model import Model
from engines.steps import Steps
from service.admission import State
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.service.serving import (
    BLANK,
    MODEL,
    Gate,
    assert_sentence,
    faulty,
    gated,
    lent,
    model_of,
    nobody,
    over_grpc,
    service,
    until,
)


def frame(name: str, image: bytes = BLANK, min_score: float = 0) -> pb.EstimateStreamRequest:
    return pb.EstimateStreamRequest(
        frame_id=name, request=pb.EstimateRequest(image=image, min_score=min_score)
    )


async def answers(
    stub: PoseServiceStub, *frames: pb.EstimateStreamRequest
) -> list[pb.EstimateStreamResponse]:
    return [answer async for answer in stub.EstimateStream(iter(frames))]


def outcomes(answered: list[pb.EstimateStreamResponse]) -> list[tuple[str, str]]:
    """Name and error code of each answer; the code is empty for people."""
    for answer in answered:
        if answer.HasField("error"):
            assert_sentence(answer.error.message)
    return [(answer.frame_id, answer.error.code) for answer in answered]


async def test_frames_are_answered_in_order_and_a_bad_one_fails_alone(
    model: Model, astronaut: bytes
) -> None:
    with service(lent(model)) as running:
        async with over_grpc(running) as stub:
            single = await stub.Estimate(pb.EstimateRequest(image=astronaut))
            answered = await answers(
                stub,
                frame("a", astronaut),
                frame("b", b"no picture"),
                frame("c"),
                frame("d", min_score=2),
                frame("e", astronaut),
            )
    assert outcomes(answered) == [
        ("a", ""),
        ("b", "bad_image"),
        ("c", ""),
        ("d", "bad_parameter"),
        ("e", ""),
    ]
    first, last = answered[0].result, answered[-1].result
    assert list(first.people) == list(last.people) == list(single.people)
    assert not answered[2].result.people


async def test_a_frame_that_is_ready_early_waits_for_those_before_it() -> None:
    with gated() as (running, gate):
        async with over_grpc(running) as stub:
            asked = asyncio.create_task(answers(stub, frame("slow"), frame("fast", b"")))
            counted = {"protocol": "grpc_stream", "model": MODEL, "code": "bad_image"}
            await until(lambda: running.count("pose_requests_total", **counted) == 1)
            gate.opened.set()
            assert outcomes(await asked) == [("slow", ""), ("fast", "bad_image")]


async def test_a_stream_has_no_more_than_its_window_in_the_system() -> None:
    gate, inside = Gate(), []

    def steps(image: Pixels) -> Steps:
        inside.append(running.admission.inside)
        return (yield from nobody(image))

    with service(model_of(gate, steps), stream_window=3) as running:
        async with over_grpc(running) as stub:
            names = [str(index) for index in range(20)]
            asked = asyncio.create_task(answers(stub, *map(frame, names)))
            await until(lambda: running.admission.inside == 3)
            gate.opened.set()
            assert outcomes(await asked) == [(name, "") for name in names]
    assert max(inside) == 3


async def test_a_frame_for_which_there_is_no_room_fails_alone() -> None:
    with gated(max_images=2) as (running, gate):
        async with over_grpc(running) as stub:
            with running.admission.admit():
                asked = asyncio.create_task(answers(stub, frame("in"), frame("out")))
                await until(lambda: running.count("pose_shed_total", reason="capacity") == 1)
                gate.opened.set()
                assert outcomes(await asked) == [("in", ""), ("out", "overloaded")]


async def test_a_window_is_no_wider_than_the_system() -> None:
    with gated(max_images=1) as (running, gate):
        gate.opened.set()
        async with over_grpc(running) as stub:
            names = [str(index) for index in range(10)]
            answered = await answers(stub, *map(frame, names))
    assert outcomes(answered) == [(name, "") for name in names]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (pb.StreamOptions(window=1), 1),
        (pb.StreamOptions(window=100), 3),
        (pb.StreamOptions(newest_wins=True), 2),
        (pb.StreamOptions(newest_wins=True, window=3), 3),
    ],
    ids=["a narrow window", "no more than the service's", "live", "live and wide"],
)
async def test_a_stream_has_a_window_of_its_own(options: pb.StreamOptions, expected: int) -> None:
    with gated(stream_window=3) as (running, gate):
        async with over_grpc(running) as stub:
            first = frame("0")
            first.options.CopyFrom(options)
            call = stub.EstimateStream(iter([first, *map(frame, "123")]))
            await until(lambda: running.admission.inside == expected)
            seen = running.count("pose_frames_dropped_total")
            await until(lambda: gate.calls == 1)
            assert running.admission.inside == expected
            gate.opened.set()
            names = [answer.frame_id async for answer in call]
            dropped = running.count("pose_frames_dropped_total")
            assert (seen, len(names)) == (seen, 4 - dropped)


async def test_the_newest_frame_wins_where_that_was_asked_for_and_drops_are_counted() -> None:
    with gated() as (running, gate):

        async def frames() -> AsyncIterator[pb.EstimateStreamRequest]:
            first = frame("0")
            first.options.newest_wins = True
            yield first
            await until(lambda: running.admission.inside == 1)
            yield frame("1")
            await until(lambda: running.admission.inside == 2)
            for name in "23456":
                yield frame(name)
            await until(lambda: running.count("pose_frames_dropped_total") == 4)
            gate.opened.set()

        async with over_grpc(running) as stub:
            answered = [answer async for answer in stub.EstimateStream(frames())]
    assert outcomes(answered) == [("0", ""), ("1", ""), ("6", "")]
    assert [answer.dropped for answer in answered] == [4, 4, 4]


async def test_streams_that_are_open_are_counted_and_bounded() -> None:
    with gated(max_streams=2) as (running, gate):
        async with over_grpc(running) as stub:
            calls = [stub.EstimateStream(iter([frame("a")])) for _ in range(2)]
            await until(lambda: running.count("pose_streams") == 2)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.EstimateStream().read()  # nothing is sent: see `over_grpc`
            assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert dict(refused.value.trailing_metadata())["grpc-retry-pushback-ms"] == "1000"
            assert_sentence(refused.value.details() or "")
            calls[0].cancel()
            await until(lambda: running.count("pose_streams") == 1)
            gate.opened.set()
            assert outcomes(await answers(stub, frame("c"))) == [("c", "")]
            assert [answer.frame_id async for answer in calls[1]] == ["a"]
            await until(lambda: running.count("pose_streams") == 0)


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
async def test_no_stream_begins_while_starting_or_draining(state: State) -> None:
    with gated(state=state) as (running, _):
        async with over_grpc(running) as stub:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.EstimateStream().read()  # nothing is sent: see `over_grpc`
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_stream_without_frames_has_no_answers() -> None:
    with gated() as (running, _):
        async with over_grpc(running) as stub:
            assert await answers(stub) == []


async def test_frames_that_come_while_draining_are_refused() -> None:
    with gated() as (running, gate):

        async def frames() -> AsyncIterator[pb.EstimateStreamRequest]:
            yield frame("early")
            await until(lambda: running.admission.inside == 1)
            running.admission.state = State.DRAINING
            yield frame("late")
            gate.opened.set()

        async with over_grpc(running) as stub:
            answered = [answer async for answer in stub.EstimateStream(frames())]
            assert outcomes(answered) == [("early", ""), ("late", "unavailable")]


async def test_a_caller_who_cancels_a_stream_frees_its_places() -> None:
    with gated(stream_window=3) as (running, gate):
        async with over_grpc(running) as stub:
            call = stub.EstimateStream(frame(str(index)) for index in range(5))
            await until(lambda: running.admission.inside == 3)
            call.cancel()
            await until(lambda: running.admission.inside == 0)
            gate.opened.set()
            assert outcomes(await answers(stub, frame("next"))) == [("next", "")]
        assert gate.calls <= 2, "frames that nobody waits for took the engine's time"


async def test_a_frame_that_meets_a_fault_fails_alone() -> None:
    with service(model_of(Gate(), faulty)) as running:
        async with over_grpc(running) as stub:
            answered = await answers(stub, frame("a"), frame("b", b""))
    assert outcomes(answered) == [("a", "internal"), ("b", "bad_image")]
    assert "secret" not in answered[0].error.message
