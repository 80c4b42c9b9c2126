"""A real server, and real photographs posted to it over HTTP and gRPC."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import cv2
import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from engines.skeletons import OPENPOSE_18
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import Server, until
from tests.shared import shared

MODEL = "lightweight-openpose-int8"
MAX_BYTES = 16 * 2**20


@pytest.fixture(scope="module")
def channel(served: Server) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(served.grpc) as opened:
        yield opened


@pytest.fixture(scope="module")
def stub(channel: grpc.Channel) -> PoseServiceStub:
    return PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated


@pytest.fixture(scope="module")
def crowd() -> bytes:
    """Several people playing baseball."""
    return (shared("coco-mini/images") / "000000001000.jpg").read_bytes()


@pytest.fixture(scope="module")
def photographs(astronaut: bytes) -> list[bytes]:
    """Seven photographs: nobody, one, a few and many people."""
    folder = shared("coco-mini/images")
    return [astronaut, *(path.read_bytes() for path in sorted(folder.iterdir())[:6])]


def files(*images: bytes) -> list[tuple[str, bytes]]:
    return [("image", image) for image in images]


def frames(*images: bytes) -> Iterator[pb.EstimateStreamRequest]:
    for index, image in enumerate(images):
        request = pb.EstimateRequest(image=image)
        yield pb.EstimateStreamRequest(frame_id=f"frame {index}", request=request)


def plain(answer: pb.EstimateResponse) -> list[float]:
    """Every number of the people, in order."""
    return [
        number
        for person in answer.people
        for point in person.keypoints
        for number in (person.score, point.x, point.y, point.score)
    ]


def plain_json(poses: Any) -> list[float]:
    return [
        number
        for person in poses["people"]
        for point in person["keypoints"]
        for number in (person["score"], *point)
    ]


def test_photographs_give_the_same_people_by_every_way(
    http: httpx.Client, stub: PoseServiceStub, photographs: list[bytes]
) -> None:
    raw = [http.post("/v1/poses", content=one).json() for one in photographs]
    together = http.post("/v1/poses", files=files(*photographs)).json()
    single = [stub.Estimate(pb.EstimateRequest(image=one)) for one in photographs]
    stream = list(stub.EstimateStream(frames(*photographs)))
    assert [len(poses["people"]) > 0 for poses in raw] == [
        True,
        True,
        False,
        True,
        True,
        True,
        True,
    ]
    for index, poses in enumerate(raw):
        expected = pytest.approx(plain_json(poses), abs=0.011)
        assert plain_json(together[index]) == expected
        assert plain(single[index]) == expected
        assert plain(stream[index].result) == expected
        assert stream[index].frame_id == f"frame {index}"
        size = {"width": single[index].width, "height": single[index].height}
        assert poses["image"] == together[index]["image"] == size


def test_the_astronaut_has_her_nose_where_it_is(http: httpx.Client, astronaut: bytes) -> None:
    poses = http.post("/v1/poses", files=files(astronaut)).json()
    x, y, score = poses["people"][0]["keypoints"][OPENPOSE_18.keypoints.index("nose")]
    assert (x, y) == pytest.approx((220, 120), abs=25)
    assert score > 0.3


def test_one_bad_picture_of_several_fails_alone(
    http: httpx.Client, stub: PoseServiceStub, astronaut: bytes
) -> None:
    sent = (astronaut, astronaut[:9000], b"GIF89a", astronaut)
    first, cut, gif, last = http.post("/v1/poses", files=files(*sent)).json()
    assert [cut["error"]["code"], gif["error"]["code"]] == ["bad_image", "unsupported_image"]
    assert first["people"] == last["people"] != []
    answers = list(stub.EstimateStream(frames(*sent)))
    assert [answer.frame_id for answer in answers] == [f"frame {index}" for index in range(4)]
    codes = [answer.error.code for answer in answers]
    assert codes == ["", "bad_image", "unsupported_image", ""]
    assert plain(answers[0].result) == plain(answers[3].result) != []


def test_people_come_in_three_formats(http: httpx.Client, crowd: bytes) -> None:
    native, coco, openpose = (
        http.post("/v1/poses", params={"format": form, "max_people": 5}, content=crowd).json()
        for form in ("native", "coco", "openpose")
    )
    assert len(native["people"]) == len(coco) == len(openpose["people"]) == 5
    for person, entry, written in zip(native["people"], coco, openpose["people"], strict=True):
        assert written["pose_keypoints_2d"] == [v for point in person["keypoints"] for v in point]
        assert entry["keypoints"][:2] == person["keypoints"][0][:2]
        assert (len(entry["keypoints"]), entry["category_id"]) == (51, 1)
        assert entry["bbox"] == person["box"]


def test_a_drawing_is_a_jpeg_of_the_same_size(http: httpx.Client, crowd: bytes) -> None:
    answer = http.post("/v1/render", content=crowd)
    assert answer.headers["content-type"] == "image/jpeg"
    drawn, sent = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        for data in (answer.content, crowd)
    )
    assert drawn is not None
    assert sent is not None
    assert drawn.shape == sent.shape
    assert not np.array_equal(drawn, sent)


def test_models_are_the_same_by_both_protocols(http: httpx.Client, stub: PoseServiceStub) -> None:
    (info,) = http.get("/v1/models").json()["models"]
    (listed,) = stub.ListModels(pb.ListModelsRequest()).models
    assert info["name"] == listed.name == MODEL
    assert info["keypoints"] == list(listed.keypoints)
    assert http.get(f"/v1/models/{MODEL}").json() == info


def test_a_body_far_too_large_is_refused_and_the_service_goes_on(
    http: httpx.Client, stub: PoseServiceStub, astronaut: bytes
) -> None:
    for excess in (1, 2**20):
        large = bytes(MAX_BYTES + excess)
        answer = http.post("/v1/poses", content=large)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
        with pytest.raises(grpc.RpcError) as refused:
            stub.Estimate(pb.EstimateRequest(image=large))
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert http.post("/v1/poses", content=astronaut).status_code == 200
    assert stub.Estimate(pb.EstimateRequest(image=astronaut)).people


def test_health_and_metrics_are_there_for_operators(
    served: Server, http: httpx.Client, astronaut: bytes
) -> None:
    assert http.get("/healthz").json() == {"status": "alive"}
    assert http.get("/readyz").json() == {"status": "ready"}
    images = f'pose_images_total{{model="{MODEL}"}}'
    requests = f'pose_requests_total{{code="ok",model="{MODEL}",protocol="http"}}'
    before = served.metric(images), served.metric(requests)
    http.post("/v1/poses", files=files(astronaut, astronaut))
    assert served.metric(images) == before[0] + 2
    assert served.metric(requests) == before[1] + 1
    assert served.metric(f'pose_engine_up{{device="cpu",model="{MODEL}"}}') == 1
    assert served.metric("pose_inflight") == 0


def test_the_documentation_needs_no_other_host(http: httpx.Client) -> None:
    page = http.get("/docs").text
    assert not re.findall(r"""["'(]\s*(?:https?:)?//[^"')]+""", page)
    assets = re.findall(r"""(?:src|href)=["']([^"']+)|url:\s*["']([^"']+)""", page)
    paths = [source or url for source, url in assets]
    assert any(path.endswith(".js") for path in paths)
    assert any(path.endswith(".css") for path in paths)
    for path in paths:
        assert http.get(path).status_code == 200, path
    assert {"/v1/poses", "/v1/render"} <= set(http.get("/openapi.json").json()["paths"])


@pytest.mark.parametrize("service", ["", "pose.v1.PoseService"])
def test_the_grpc_health_of_a_ready_service_is_serving(channel: grpc.Channel, service: str) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_grpc_reflection_lists_the_service(channel: grpc.Channel) -> None:
    names = ProtoReflectionDescriptorDatabase(channel).get_services()
    assert "pose.v1.PoseService" in names


def test_a_caller_who_hangs_up_half_way_is_no_fault(served: Server) -> None:
    left = f'pose_requests_total{{code="cancelled",model="{MODEL}",protocol="http"}}'
    before = served.metric(left)
    with socket.create_connection(("127.0.0.1", served.http_port)) as caller:
        caller.sendall(b"POST /v1/poses HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n\xff")
    until(lambda: served.metric(left) == before + 1)
