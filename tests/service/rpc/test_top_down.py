"""gRPC: a model that needs boxes takes its people from where the caller says, alone or streamed."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest

from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.service.lights import (
    BOXES,
    DETECTOR,
    KEYPOINTS,
    LIGHTS,
    PICTURE,
    POSES,
    WHOLE,
    Box,
    Eyes,
    as_text,
    centre,
    detecting,
    seeing,
    standing,
)
from tests.service.serving import (
    MODEL,
    Service,
    assert_rpc_refused,
    assert_sentence,
    over_grpc,
    over_http,
    service,
)

INF, NAN = float("inf"), float("nan")


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


@pytest.fixture
def running(eyes: Eyes) -> Iterator[Service]:
    models = standing(), seeing(eyes), detecting(BOXES[0], BOXES[1])
    with service(*models, detector=DETECTOR, max_boxes=5) as serving:
        yield serving


def request(
    *boxes: Box, detector: str = "", model: str = POSES, image: bytes = PICTURE
) -> pb.EstimateRequest:
    given = [pb.Box(x=x, y=y, width=width, height=height) for x, y, width, height in boxes]
    return pb.EstimateRequest(image=image, model=model, boxes=given, detector=detector)


def boxes(answer: pb.EstimateResponse) -> list[Box]:
    return [(one.box.x, one.box.y, one.box.width, one.box.height) for one in answer.people]


async def test_boxes_are_answered_in_the_order_given_with_those_very_boxes(
    stub: PoseServiceStub, running: Service
) -> None:
    asked = [BOXES[index] for index in (2, 0, 3, 1, 0)]
    answer = await stub.Estimate(request(*asked))
    assert (answer.model, answer.skeleton) == (POSES, "coco-17")
    assert boxes(answer) == asked
    for box, person in zip(asked, answer.people, strict=True):
        assert person.score == pytest.approx(LIGHTS[box] / 255)
        assert len(person.keypoints) == KEYPOINTS
        assert {(point.x, point.y) for point in person.keypoints} == {centre(box)}
    assert running.count("pose_batch_size_count", model=DETECTOR) == 0


async def test_a_box_between_pixels_comes_back_as_it_was_given(stub: PoseServiceStub) -> None:
    box = (9.5, -7.25, 17.125, 1e6)
    assert boxes(await stub.Estimate(request(box))) == [box]


async def test_of_boxes_the_best_are_kept_in_the_order_given(stub: PoseServiceStub) -> None:
    asked = request(*BOXES[::-1])
    asked.max_people = 2
    assert boxes(await stub.Estimate(asked)) == [BOXES[3], BOXES[1]]
    asked.min_score = 0.7
    assert boxes(await stub.Estimate(asked)) == [BOXES[1]]


@pytest.mark.parametrize(
    ("detector", "found"),
    [
        ("", [BOXES[1], BOXES[0]]),
        (DETECTOR, [BOXES[1], BOXES[0]]),
        (MODEL, [(102, 9, 12, 22), (12, 9, 12, 22)]),
        ("whole-image", [WHOLE]),
    ],
)
async def test_the_people_are_those_of_rest_whoever_finds_them(
    stub: PoseServiceStub, running: Service, detector: str, found: list[Box]
) -> None:
    answer = await stub.Estimate(request(detector=detector))
    for box, expected in zip(boxes(answer), found, strict=True):
        assert box == pytest.approx(expected, rel=1e-6)
    parameters = {"model": POSES, "detector": detector}
    async with over_http(running) as http:
        rest = (await http.post("/v1/poses", params=parameters, content=PICTURE)).json()
    scores = [person["score"] for person in rest["people"]]
    assert [person.score for person in answer.people] == pytest.approx(scores, abs=1e-4)


async def test_a_detector_answers_boxes_without_keypoints(stub: PoseServiceStub) -> None:
    answer = await stub.Estimate(request(model=DETECTOR))
    assert (answer.skeleton, boxes(answer)) == ("no-keypoints", list(BOXES[:2]))
    assert not any(person.keypoints for person in answer.people)


async def test_in_a_picture_without_people_the_pose_engine_is_not_asked() -> None:
    eyes = Eyes()
    with service(seeing(eyes), detecting(), detector=DETECTOR) as running:
        async with over_grpc(running) as stub:
            answer = await stub.Estimate(request())
    assert (answer.width, answer.height, list(answer.people)) == (128, 40, [])
    assert eyes.batches == []


A, B = BOXES[:2]
WRONG = {
    "boxes for the default model": request(A, model=""),
    "boxes for a bottom-up model": request(A, model=MODEL),
    "boxes for a detector": request(A, model=DETECTOR),
    "a detector for a bottom-up model": request(detector=DETECTOR, model=MODEL),
    "the whole image for a bottom-up model": request(detector="whole-image", model=MODEL),
    "both": request(A, detector=DETECTOR),
    "boxes and the whole image": request(A, detector="whole-image"),
    "a detector that needs boxes": request(detector=POSES),
    "an empty box": pb.EstimateRequest(image=PICTURE, model=POSES, boxes=[pb.Box()]),
    "no width": request(A, (10, 8, 0, 24)),
    "a negative height": request((10, 8, 16, -24)),
    "no number": request(A, (NAN, 8, 16, 24)),
    "endless": request((10, 8, INF, 24)),
    "far away": request((1e9, 8, 16, 24)),
    "too many": request(*[A] * 6),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
async def test_what_does_not_go_together_is_refused(
    stub: PoseServiceStub, running: Service, eyes: Eyes, wrong: pb.EstimateRequest
) -> None:
    await assert_rpc_refused(stub, wrong, grpc.StatusCode.INVALID_ARGUMENT, "bad_parameter")
    assert (running.admission.inside, eyes.batches) == (0, [])
    counted = {"protocol": "grpc", "model": wrong.model or MODEL, "code": "bad_parameter"}
    assert running.count("pose_requests_total", **counted) == 1


async def test_a_detector_that_is_not_served_is_refused_with_those_that_are(
    stub: PoseServiceStub,
) -> None:
    unknown = request(detector="other")
    error = await assert_rpc_refused(stub, unknown, grpc.StatusCode.NOT_FOUND, "unknown_model")
    assert all(name in (error.details() or "") for name in ("other", DETECTOR, MODEL))


async def test_every_frame_of_a_stream_says_where_its_own_people_are(
    stub: PoseServiceStub,
) -> None:
    frames = {
        "given": (request(B, A), [B, A]),
        "found": (request(), [B, A]),
        "whole": (request(detector="whole-image"), [WHOLE]),
        "both": (request(A, detector=DETECTOR), "bad_parameter"),
        "empty": (request((1, 1, 0, 0)), "bad_parameter"),
        "needy": (request(detector=POSES), "bad_parameter"),
        "absent": (request(detector="other"), "unknown_model"),
        "bottom-up": (request(A, model=MODEL), "bad_parameter"),
        "broken": (request(A, image=b"no picture"), "bad_image"),
        "boxes": (request(model=DETECTOR), [A, B]),
        "last": (request(A), [A]),
    }
    sent = [
        pb.EstimateStreamRequest(frame_id=name, request=asked)
        for name, (asked, _) in frames.items()
    ]
    answers = [answer async for answer in stub.EstimateStream(iter(sent))]
    assert [answer.frame_id for answer in answers] == list(frames)
    for answer, (_, expected) in zip(answers, frames.values(), strict=True):
        if isinstance(expected, str):
            assert answer.error.code == expected
            assert_sentence(answer.error.message)
        else:
            assert boxes(answer.result) == expected


async def test_the_messages_are_those_of_rest(stub: PoseServiceStub, running: Service) -> None:
    async with over_http(running) as http:
        for asked in (request(A, (1, 1, 0, 0)), request(*[A] * 6), request(A, detector=POSES)):
            given = [(box.x, box.y, box.width, box.height) for box in asked.boxes]
            parameters = {"model": POSES, "boxes": as_text(*given), "detector": asked.detector}
            refused = await http.post("/v1/poses", params=parameters, content=PICTURE)
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await stub.Estimate(asked)
            assert error.value.details() == refused.json()["error"]["message"]


async def test_models_are_those_of_rest(stub: PoseServiceStub, running: Service) -> None:
    listed = (await stub.ListModels(pb.ListModelsRequest())).models
    async with over_http(running) as http:
        infos = (await http.get("/v1/models")).json()["models"]
    assert [model.name for model in listed] == [MODEL, POSES, DETECTOR]
    for model, info in zip(listed, infos, strict=True):
        assert [[limb.first, limb.second] for limb in model.limbs] == info.pop("limbs")
        assert list(model.keypoints) == info.pop("keypoints")
        assert (model.input_width or None) == info.pop("input_width")
        assert {name: getattr(model, name) for name in info} == info
