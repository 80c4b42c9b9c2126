"""KServe's protocol over gRPC: images in, tensors out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1.health import aio as health_aio

from engines.model import Model
from service.admission import State
from service.pb import inference_pb2 as pb
from service.pb.inference_pb2_grpc import GRPCInferenceServiceStub
from service.rpc.server import create_server
from tests.service.kserve.asking import packed
from tests.service.serving import (
    BLANK,
    MODEL,
    Service,
    assert_sentence,
    gated,
    lent,
    service,
    until,
)

Status = grpc.StatusCode


@pytest.fixture
def running(model: Model) -> Iterator[Service]:
    with service(lent(model)) as started:
        yield started


@pytest.fixture
async def stub(running: Service) -> AsyncIterator[GRPCInferenceServiceStub]:
    async for calling in stub_of(running):
        yield calling


async def stub_of(running: Service) -> AsyncIterator[GRPCInferenceServiceStub]:
    server = create_server(running.core, health_aio.HealthServicer())
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call] # generated
    await server.stop(None)


def request(*images: bytes, raw: bool = True, **more: Any) -> pb.ModelInferRequest:
    image = pb.ModelInferRequest.InferInputTensor(
        name="image", datatype="BYTES", shape=[len(images)]
    )
    if not raw:
        image.contents.bytes_contents.extend(images)
    contents = [packed(*images)] if raw else []
    return pb.ModelInferRequest(
        model_name=MODEL, inputs=[image], raw_input_contents=contents, **more
    )


def tensors(answer: pb.ModelInferResponse) -> dict[str, tuple[list[int], bytes]]:
    return {
        output.name: (list(output.shape), raw)
        for output, raw in zip(answer.outputs, answer.raw_output_contents, strict=True)
    }


async def refused(
    stub: GRPCInferenceServiceStub, asked: pb.ModelInferRequest, status: Status
) -> str:
    """The sentence of a call that ends with that status and our code in its trailer."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.ModelInfer(asked)
    assert error.value.code() == status
    message = error.value.details() or ""
    assert_sentence(message)
    assert dict(error.value.trailing_metadata())["posewire-code"]
    return message


@pytest.mark.parametrize("raw", [True, False])
async def test_a_picture_comes_back_as_people(
    stub: GRPCInferenceServiceStub, astronaut: bytes, raw: bool
) -> None:
    answer = await stub.ModelInfer(request(astronaut, raw=raw, id="seven"))
    found = tensors(answer)
    assert (answer.id, answer.model_name, answer.model_version) == ("seven", MODEL, "1")
    shape, text = found["people"]
    (person,) = json.loads(text[4:])["people"]
    assert (shape, int.from_bytes(text[:4], "little")) == ([1], len(text) - 4)
    shape, numbers = found["keypoints"]
    keypoints = np.frombuffer(numbers, "<f4").reshape(shape)
    assert keypoints.shape == (1, 18, 3)
    assert keypoints[0].tolist() == [pytest.approx(one, abs=0.006) for one in person["keypoints"]]


async def test_several_pictures_give_people_alone(
    stub: GRPCInferenceServiceStub, astronaut: bytes
) -> None:
    found = tensors(await stub.ModelInfer(request(BLANK, astronaut)))
    assert {name: shape for name, (shape, _) in found.items()} == {"people": [2]}


async def test_only_the_outputs_asked_for_come(stub: GRPCInferenceServiceStub) -> None:
    asked = [pb.ModelInferRequest.InferRequestedOutputTensor(name="boxes")]
    assert tensors(await stub.ModelInfer(request(BLANK, outputs=asked))) == {"boxes": ([0, 4], b"")}


async def test_options_go_into_the_parameters(
    stub: GRPCInferenceServiceStub, astronaut: bytes
) -> None:
    options = {
        "min_score": pb.InferParameter(double_param=0.9),
        "max_people": pb.InferParameter(int64_param=1),
    }
    found = tensors(await stub.ModelInfer(request(astronaut, parameters=options)))
    assert found["scores"][0] == [0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_score", pb.InferParameter(double_param=float("nan"))),
        ("min_score", pb.InferParameter()),
        ("max_people", pb.InferParameter(int64_param=0)),
        ("boxes", pb.InferParameter(bool_param=True)),
        ("sequence_id", pb.InferParameter(uint64_param=1)),
    ],
)
async def test_wrong_options_are_refused(
    stub: GRPCInferenceServiceStub, name: str, value: pb.InferParameter
) -> None:
    message = await refused(stub, request(BLANK, parameters={name: value}), Status.INVALID_ARGUMENT)
    assert name in message


async def test_what_is_no_request_for_pictures_is_refused(stub: GRPCInferenceServiceStub) -> None:
    shared = request(BLANK)
    shared.inputs[0].parameters["shared_memory_region"].string_param = "x"
    other = request(BLANK)
    other.inputs[0].datatype = "FP32"
    twice = request(BLANK)
    twice.inputs.append(twice.inputs[0])
    many = request(BLANK)
    many.inputs[0].shape[0] = 2
    cut = request(BLANK)
    cut.raw_input_contents[0] = cut.raw_input_contents[0][:-1]
    both = request(BLANK)
    both.inputs[0].contents.bytes_contents.append(BLANK)
    for wrong in (pb.ModelInferRequest(), shared, other, twice, many, cut, both):
        await refused(stub, wrong, Status.INVALID_ARGUMENT)


async def test_the_error_of_one_picture_fails_the_request_and_says_which(
    stub: GRPCInferenceServiceStub,
) -> None:
    message = await refused(stub, request(BLANK, b"no picture"), Status.INVALID_ARGUMENT)
    assert message.startswith("Image 2 of 2: ")


async def test_health_follows_the_service(running: Service, stub: GRPCInferenceServiceStub) -> None:
    ready = pb.ModelReadyRequest(name=MODEL)
    assert (await stub.ServerReady(pb.ServerReadyRequest())).ready
    assert (await stub.ModelReady(ready)).ready
    assert not (await stub.ModelReady(pb.ModelReadyRequest(name="nobody"))).ready
    assert not (await stub.ModelReady(pb.ModelReadyRequest(name=MODEL, version="2"))).ready
    running.admission.state = State.DRAINING
    assert (await stub.ServerLive(pb.ServerLiveRequest())).live
    assert not (await stub.ServerReady(pb.ServerReadyRequest())).ready
    assert not (await stub.ModelReady(ready)).ready
    await refused(stub, request(BLANK), Status.UNAVAILABLE)


async def test_the_metadata_tells_the_tensors(stub: GRPCInferenceServiceStub) -> None:
    server = await stub.ServerMetadata(pb.ServerMetadataRequest())
    told = await stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL))
    assert server.name == "posewire"
    assert (told.inputs[0].name, list(told.inputs[0].shape)) == ("image", [-1])
    assert {output.name: list(output.shape) for output in told.outputs}["keypoints"] == [-1, 18, 3]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stub.ModelMetadata(pb.ModelMetadataRequest(name="nobody"))
    assert error.value.code() == Status.NOT_FOUND


async def test_a_deadline_is_kept_and_frees_the_place() -> None:
    with gated() as (running, _):
        async for stub in stub_of(running):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await stub.ModelInfer(request(BLANK), timeout=0.05)
            assert error.value.code() == Status.DEADLINE_EXCEEDED
            await until(lambda: running.admission.inside == 0)


async def test_above_the_bound_a_call_is_refused_and_counted() -> None:
    with gated(max_images=1) as (running, gate):
        async for stub in stub_of(running):
            first = asyncio.ensure_future(stub.ModelInfer(request(BLANK)))
            await until(lambda: gate.calls == 1)
            await refused(stub, request(BLANK), Status.RESOURCE_EXHAUSTED)
            gate.opened.set()
            await first
    count = {"protocol": "kserve_grpc", "model": "", "code": "overloaded"}
    assert running.count("pose_requests_total", **count) == 1
