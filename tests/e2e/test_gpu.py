"""A real server on GPUs: what it says of itself, its answers, and its memory."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import cv2
import grpc
import httpx
import numpy as np
import psutil
import pytest

from engines.catalog import find
from engines.runtime.gpus import gpus
from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import Server, environment, server, until
from tests.engines.exported import exported
from tests.gpu import needs_gpu, tensorrt

# With made-up parameters the first finds somebody in every box, and the second is quick.
POSES, QUICK = "hrnet-w32-256x192", "lightweight-openpose"
BOXES = [(12.0, 20.0, 358.0, 487.0), (0.0, 0.0, 512.0, 512.0), (200.0, 60.0, 150.0, 200.0)]
BUILD_S = 900.0
CALLERS = 16
FEW, MANY = 1_000, 10_000  # requests
MIB = 2**20


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A cache with both models."""
    folder = tmp_path_factory.mktemp("made-up")
    for name in (POSES, QUICK):
        exported(find(name), folder)
    return Store(folder)


@pytest.fixture(scope="module", params=["torch", "tensorrt"])
def served(
    request: pytest.FixtureRequest, made_up: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """On every GPU, by one engine and then by the other."""
    if request.param == "tensorrt":
        tensorrt()
    with running(made_up, request.param, tmp_path_factory.mktemp("gpu") / "log") as started:
        yield started
        assert started.stop() == 0
    assert "Traceback" not in started.log


@pytest.fixture(scope="module")
def on_cpu(made_up: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same on the processor, in float32."""
    with running(made_up, "openvino", tmp_path_factory.mktemp("cpu") / "log") as started:
        yield started


@contextmanager
def running(store: Store, engine: str, log: Path) -> Iterator[Server]:
    """A server of both models, ready."""
    models = f"{POSES},{QUICK}"
    settings = environment(store, models=models, engine=engine, height="64", detector="whole-image")
    with server(settings, log, ready="/healthz") as started:
        until(lambda: started.answers("/readyz"), BUILD_S)
        yield started


@pytest.fixture(scope="module")
def devices() -> list[str]:
    """As the service calls the GPUs."""
    found = [gpu.device for gpu in gpus().found]
    if not found:
        pytest.skip(f"needs a GPU that the driver lists: {gpus().why}")
    return found


def of_http(at: Server, image: bytes) -> np.ndarray:
    """x, y and score (people, keypoints, 3) of the people in the boxes."""
    boxes = ";".join(",".join(map(str, box)) for box in BOXES)
    answer = httpx.post(f"{at.http}/v1/poses", params={"boxes": boxes}, content=image, timeout=60)
    assert answer.status_code == 200, answer.text
    return np.array([person["keypoints"] for person in answer.json()["people"]])


def of_grpc(at: Server, image: bytes) -> np.ndarray:
    """The same."""
    boxes = [pb.Box(x=x, y=y, width=width, height=height) for x, y, width, height in BOXES]
    with grpc.insecure_channel(at.grpc) as channel:
        stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        people = stub.Estimate(pb.EstimateRequest(image=image, boxes=boxes)).people
    return np.array([[(p.x, p.y, p.score) for p in person.keypoints] for person in people])


def flood(at: Server, requests: int, **parameters: str) -> None:
    """Posts a small picture of the usual shape so often, by several callers at once."""
    _, encoded = cv2.imencode(".jpg", np.full((90, 160, 3), 99, np.uint8))
    image = encoded.tobytes()
    with httpx.Client(base_url=at.http, timeout=60) as client, ThreadPoolExecutor(CALLERS) as pool:

        def post(_: int) -> int:
            return client.post("/v1/poses", params=parameters, content=image).status_code

        assert set(pool.map(post, range(requests))) == {200}


def busy(at: Server, device: str) -> float:
    """Seconds."""
    return at.metric(f'pose_device_busy_seconds_total{{device="{device}"}}')


def memory(at: Server, devices: list[str]) -> np.ndarray:
    """Bytes: of the process, and of each GPU's engines."""
    of_gpus = [at.metric(f'pose_gpu_memory_bytes{{device="{device}"}}') for device in devices]
    return np.array([psutil.Process(at.process.pid).memory_info().rss, *of_gpus])


@needs_gpu
def test_models_say_that_gpus_run_them_in_half_precision(
    devices: list[str], served: Server, request: pytest.FixtureRequest
) -> None:
    models = httpx.get(f"{served.http}/v1/models").json()["models"]
    assert [info["name"] for info in models] == [POSES, QUICK]
    for info in models:
        assert f"[{info['engine']}]" in request.node.name
        assert (info["precision"], info["devices"]) == ("fp16", devices)
        assert info["why"] == "as asked for"


@needs_gpu
def test_people_are_those_of_the_same_service_on_a_processor(
    devices: list[str], served: Server, on_cpu: Server, astronaut: bytes
) -> None:
    expected = of_http(on_cpu, astronaut)
    assert expected.shape == (len(BOXES), 17, 3)
    for found in (of_http(served, astronaut), of_grpc(served, astronaut)):
        assert found.shape == expected.shape
        away = np.linalg.norm(found[..., :2] - expected[..., :2], axis=-1)
        # Without training, heatmaps are flat: now and then another cell is the highest.
        assert np.mean(away < 0.02 * np.array(BOXES)[:, 3:]) > 0.9
        assert np.abs(found[..., 2] - expected[..., 2]).max() < 0.02 * np.ptp(expected[..., 2])


@needs_gpu
def test_every_gpu_is_up_and_works(devices: list[str], served: Server) -> None:
    before = [busy(served, device) for device in devices]
    # Crops for several batches at once.
    flood(served, 2 * CALLERS, model=POSES, boxes=";".join(["0,0,160,90"] * 100))
    for device, was in zip(devices, before, strict=True):
        assert served.metric(f'pose_device_up{{device="{device}"}}') == 1
        assert busy(served, device) > was
        assert served.metric(f'pose_gpu_memory_bytes{{device="{device}"}}') > MIB
    assert served.metric('pose_device_up{device="cpu"}') == 0, "there is no such device"


@needs_gpu
def test_memory_is_flat_over_ten_thousand_requests(devices: list[str], served: Server) -> None:
    flood(served, FEW, model=QUICK)
    before = memory(served, devices)
    flood(served, MANY - FEW, model=QUICK)
    after = memory(served, devices)
    assert after[0] - before[0] < 32 * MIB
    assert np.all(after[1:] - before[1:] < 8 * MIB), "memory of GPUs grows"
