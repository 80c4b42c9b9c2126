"""A real server with a bottom-up model, one that needs boxes, and the detector before it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from engines.catalog import find
from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import Server, environment, server, until

BOTTOM_UP, POSES, DETECTOR = "lightweight-openpose-int8", "pp-tinypose-256x192", "yolox-nano"
MODELS = (BOTTOM_UP, POSES, DETECTOR)
HER = (12.0, 20.0, 358.0, 487.0)
NOSE = (223, 124)
MAX_BATCH = 2


def three(store: Store) -> dict[str, str]:
    """Settings in which the detector is not named: it comes with the model that needs it."""
    chosen = {"models": f"{BOTTOM_UP},{POSES}", "max_batch": str(MAX_BATCH), "max_images": "8"}
    return environment(store, **chosen)


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    with server(three(store), log) as started:
        yield started
        assert started.stop() == 0
    assert "Traceback" not in started.log
    assert "Warning" not in started.log


@pytest.fixture(scope="module")
def stub(served: Server) -> Iterator[PoseServiceStub]:
    with grpc.insecure_channel(served.grpc) as channel:
        yield PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated


def poses(http: httpx.Client, image: bytes, **parameters: Any) -> dict[str, Any]:
    answer = http.post("/v1/poses", params=parameters, content=image)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def text(box: tuple[float, ...]) -> str:
    return ",".join(map(str, box))


def test_the_models_are_those_of_the_settings_and_the_detector(
    http: httpx.Client, stub: PoseServiceStub
) -> None:
    infos = http.get("/v1/models").json()["models"]
    listed = stub.ListModels(pb.ListModelsRequest()).models
    assert [info["name"] for info in infos] == [model.name for model in listed] == list(MODELS)
    assert [info["default"] for info in infos] == [True, False, False]
    assert [info["top_down"] for info in infos] == [False, True, False]
    for name, info in zip(MODELS, infos, strict=True):
        assert http.get(f"/v1/models/{name}").json() == info
        assert info["keypoints"] == list(find(name).skeleton.keypoints)
        assert info["engine"] == "openvino"


def test_every_model_finds_the_astronaut(http: httpx.Client, astronaut: bytes) -> None:
    assert poses(http, astronaut)["model"] == BOTTOM_UP
    for name in MODELS:
        answer = poses(http, astronaut, model=name)
        assert (answer["model"], answer["skeleton"]) == (name, find(name).skeleton.name)
        (person,) = answer["people"]
        assert len(person["keypoints"]) == len(find(name).skeleton.keypoints)
        if person["keypoints"]:
            nose = find(name).skeleton.keypoints.index("nose")
            assert person["keypoints"][nose][:2] == pytest.approx(NOSE, abs=10)
        else:
            assert person["box"] == pytest.approx(HER, abs=15)


@pytest.mark.parametrize(
    "how",
    [
        {"model": BOTTOM_UP},
        {"model": DETECTOR},
        {"model": POSES},
        {"model": POSES, "detector": DETECTOR},
        {"model": POSES, "detector": BOTTOM_UP},
        {"model": POSES, "detector": "whole-image"},
        {"model": POSES, "boxes": text(HER)},
    ],
    ids=lambda how: "-".join(how.values()),
)
def test_grpc_finds_the_people_of_rest(
    http: httpx.Client, stub: PoseServiceStub, astronaut: bytes, how: dict[str, str]
) -> None:
    fields: dict[str, Any] = {**how, "image": astronaut}
    if "boxes" in fields:
        x, y, width, height = HER
        fields["boxes"] = [pb.Box(x=x, y=y, width=width, height=height)]
    answer = stub.Estimate(pb.EstimateRequest(**fields))
    frame = pb.EstimateStreamRequest(frame_id="a", request=pb.EstimateRequest(**fields))
    (streamed,) = stub.EstimateStream(iter([frame]))
    assert streamed.result.people == answer.people
    (person,), (expected,) = answer.people, poses(http, astronaut, **how)["people"]
    assert person.score == pytest.approx(expected["score"], abs=1e-3)
    box = (person.box.x, person.box.y, person.box.width, person.box.height)
    assert box == pytest.approx(expected["box"], abs=0.02)
    assert len(person.keypoints) == len(expected["keypoints"])
    for point, place in zip(person.keypoints, expected["keypoints"], strict=True):
        assert (point.x, point.y, point.score) == pytest.approx(place, abs=0.02)


def test_many_callers_of_all_models_get_what_each_asked_for(
    served: Server, http: httpx.Client, astronaut: bytes
) -> None:
    asked: list[dict[str, Any]] = [
        {"model": BOTTOM_UP},
        {"model": POSES},
        {"model": DETECTOR},
        {"model": POSES, "boxes": f"{text(HER)};0,0,50,50;{text(HER)}"},
        {"model": POSES, "detector": BOTTOM_UP},
    ]
    alone = [poses(http, astronaut, **one)["people"] for one in asked]
    with ThreadPoolExecutor(8) as callers:
        together = list(callers.map(lambda one: poses(http, astronaut, **one)["people"], asked * 4))
    for expected, found in zip(alone * 4, together, strict=True):
        assert len(found) == len(expected)
        for person, other in zip(found, expected, strict=True):
            assert person["box"] == pytest.approx(other["box"], abs=0.5)
            assert person["score"] == pytest.approx(other["score"], abs=0.02)
    assert served.metric("pose_inflight") == 0


def test_every_model_counts_its_own_batches_and_images(
    served: Server, http: httpx.Client, astronaut: bytes
) -> None:
    names = ("pose_images_total", "pose_batch_size_sum", "pose_batch_size_count")

    def counted() -> np.ndarray:
        return np.array(
            [[served.metric(f'{name}{{model="{one}"}}') for name in names] for one in MODELS]
        )

    before = counted()
    poses(http, astronaut, model=POSES, boxes=";".join([text(HER)] * 7))
    poses(http, astronaut, model=POSES)
    poses(http, astronaut, model=DETECTOR)
    added = counted() - before
    assert added.tolist() == [[0, 0, 0], [2, 8, 5], [1, 2, 2]]
    for name in MODELS:
        batches = served.metric(f'pose_batch_size_bucket{{le="{MAX_BATCH:.1f}",model="{name}"}}')
        assert batches == served.metric(f'pose_batch_size_count{{model="{name}"}}')
        assert served.metric(f'pose_engine_up{{device="cpu",model="{name}"}}') == 1
        assert served.metric(f'pose_queue_depth{{model="{name}"}}') == 0


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"boxes": text(HER)}, 422, "bad_parameter"),
        ({"model": POSES, "boxes": "1,2,3"}, 422, "bad_parameter"),
        ({"model": POSES, "boxes": ";".join([text(HER)] * 101)}, 422, "bad_parameter"),
        ({"model": POSES, "detector": "hrnet-w32-256x192"}, 404, "unknown_model"),
        ({"model": DETECTOR, "format": "coco"}, 422, "bad_parameter"),
    ],
)
def test_what_does_not_go_together_is_refused(
    http: httpx.Client, astronaut: bytes, asked: dict[str, str], status: int, code: str
) -> None:
    answer = http.post("/v1/poses", params=asked, content=astronaut)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_crowd_that_was_accepted_before_sigterm_is_answered(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    crowd = ";".join([text(HER)] * 100)
    with (
        server(three(store), tmp_path / "log") as started,
        httpx.Client(base_url=started.http, timeout=60) as http,
        ThreadPoolExecutor(2) as callers,
    ):
        given = callers.submit(poses, http, astronaut, model=POSES, boxes=crowd)
        waiting = f'pose_queue_depth{{model="{POSES}"}}'
        until(lambda: started.metric(waiting) > 0)
        found = callers.submit(poses, http, astronaut, model=POSES)
        until(lambda: started.metric("pose_inflight") == 2)
        assert started.stop() == 0
        assert len(given.result()["people"]) == 100
        assert len(found.result()["people"]) == 1
    assert "draining: 2 images" in started.log
    assert "Traceback" not in started.log
