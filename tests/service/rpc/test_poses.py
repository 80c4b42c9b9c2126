"""gRPC: images in, people out, and every refusal with its status."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from engines.model import Model
from engines.skeletons import OPENPOSE_18
from service.admission import State
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.service.pictures import encode, picture, pillow, png_of_size, save
from tests.service.serving import (
    BLANK,
    MODEL,
    Service,
    assert_rpc_refused,
    lent,
    over_http,
    service,
)

BAD, EXHAUSTED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED
PIXELS = picture()


@pytest.fixture
def running(model: Model) -> Iterator[Service]:
    with service(lent(model), max_bytes=100_000) as serving:
        yield serving


async def test_a_photograph_comes_back_as_people(stub: PoseServiceStub, astronaut: bytes) -> None:
    answer = await stub.Estimate(pb.EstimateRequest(image=astronaut))
    assert (answer.model, answer.skeleton) == (MODEL, "openpose-18")
    assert (answer.width, answer.height) == (512, 512)
    assert set(answer.timings_ms) == {"decode", "prepare", "queue", "infer", "group", "total"}
    person = answer.people[0]
    nose = person.keypoints[OPENPOSE_18.keypoints.index("nose")]
    assert person.box.x <= nose.x <= person.box.x + person.box.width
    assert person.box.y <= nose.y <= person.box.y + person.box.height
    assert len(person.keypoints) == 18
    assert 0 < nose.score <= 1


async def test_the_people_are_those_of_rest(
    running: Service, stub: PoseServiceStub, astronaut: bytes
) -> None:
    answer = await stub.Estimate(pb.EstimateRequest(image=astronaut))
    async with over_http(running) as http:
        poses = (await http.post("/v1/poses", content=astronaut)).json()
    assert len(answer.people) == len(poses["people"]) > 0
    for ours, theirs in zip(answer.people, poses["people"], strict=True):
        box = (ours.box.x, ours.box.y, ours.box.width, ours.box.height)
        assert ours.score == pytest.approx(theirs["score"], abs=1e-4)
        assert box == pytest.approx(theirs["box"], abs=0.01)
        for one, other in zip(ours.keypoints, theirs["keypoints"], strict=True):
            assert (one.x, one.y, one.score) == pytest.approx(other, abs=0.01)


async def test_a_picture_of_nobody_is_no_error(stub: PoseServiceStub) -> None:
    answer = await stub.Estimate(pb.EstimateRequest(image=BLANK, model=MODEL))
    assert (answer.width, answer.height, list(answer.people)) == (96, 64, [])


async def test_people_below_the_least_score_are_left_out(
    stub: PoseServiceStub, astronaut: bytes
) -> None:
    request = pb.EstimateRequest(image=astronaut, min_score=1, max_people=1)
    assert not (await stub.Estimate(request)).people


async def test_models_are_those_of_rest(running: Service, stub: PoseServiceStub) -> None:
    (model,) = (await stub.ListModels(pb.ListModelsRequest())).models
    async with over_http(running) as http:
        (info,) = (await http.get("/v1/models")).json()["models"]
    limbs = [[limb.first, limb.second] for limb in model.limbs]
    assert model.default
    assert limbs == info.pop("limbs")
    assert list(model.keypoints) == info.pop("keypoints")
    assert info.pop("input_width") is None
    assert not model.HasField("input_width")
    assert all(getattr(model, name) == value for name, value in info.items())


BAD_IMAGES = {
    "empty": (b"", BAD, "bad_image"),
    "text": (b"this is no image at all", BAD, "bad_image"),
    "half a JPEG": (encode(PIXELS, "JPEG")[:400], BAD, "bad_image"),
    "GIF": (save(pillow(PIXELS), "GIF"), BAD, "unsupported_image"),
    "TIFF": (save(pillow(PIXELS), "TIFF"), BAD, "unsupported_image"),
    "PDF": (save(pillow(PIXELS), "PDF"), BAD, "unsupported_image"),
    "many bytes": (bytes(100_001), EXHAUSTED, "too_large"),
    "many pixels": (png_of_size(60_000, 60_000), EXHAUSTED, "too_large"),
}


@pytest.mark.parametrize(("image", "status", "code"), BAD_IMAGES.values(), ids=BAD_IMAGES)
async def test_a_bad_image_is_refused(
    running: Service, stub: PoseServiceStub, image: bytes, status: grpc.StatusCode, code: str
) -> None:
    await assert_rpc_refused(stub, pb.EstimateRequest(image=image), status, code)
    counted = {"protocol": "grpc", "model": MODEL, "code": code}
    assert running.count("pose_requests_total", **counted) == 1


@pytest.mark.parametrize(
    "request_",
    [
        pb.EstimateRequest(image=BLANK, min_score=2),
        pb.EstimateRequest(image=BLANK, min_score=-0.1),
        pb.EstimateRequest(image=BLANK, min_score=float("nan")),
        pb.EstimateRequest(image=BLANK, max_people=0),
    ],
    ids=["min_score 2", "min_score -0.1", "min_score nan", "max_people 0"],
)
async def test_a_bad_parameter_is_refused(
    stub: PoseServiceStub, request_: pb.EstimateRequest
) -> None:
    await assert_rpc_refused(stub, request_, BAD, "bad_parameter")


async def test_an_unknown_model_is_refused_with_the_names_there_are(stub: PoseServiceStub) -> None:
    request = pb.EstimateRequest(image=BLANK, model="other")
    error = await assert_rpc_refused(stub, request, grpc.StatusCode.NOT_FOUND, "unknown_model")
    assert MODEL in (error.details() or "")


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
async def test_nothing_is_served_while_starting_or_draining(
    running: Service, stub: PoseServiceStub, state: State
) -> None:
    running.admission.state = state
    request = pb.EstimateRequest(image=BLANK)
    await assert_rpc_refused(stub, request, grpc.StatusCode.UNAVAILABLE, "unavailable")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.ListModels(pb.ListModelsRequest())
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
