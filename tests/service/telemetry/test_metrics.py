"""What operators watch: the metrics by their names and labels, and what a look at them costs."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from engines.model import Model
from engines.runtime.gpus import Gpu
from service.admission import State
from service.pb import pose_pb2 as pb
from service.telemetry.gpu_metrics import GpuMetrics
from service.telemetry.metrics import Metrics
from tests.service.serving import (
    BLANK,
    MODEL,
    Service,
    gated,
    lent,
    over_grpc,
    over_http,
    service,
    until,
)
from tests.service.telemetry.nvml import NvmlError, nvml

# By service/metrics.py's own families; of a histogram, the labels beside `le`.
NAMED = {
    "pose_requests": {"protocol", "model", "code"},
    "pose_request_seconds": {"protocol", "model"},
    "pose_stage_seconds": {"stage", "model"},
    "pose_batch_size": {"model"},
    "pose_images": {"model"},
    "pose_batches": {"model"},
    "pose_queue_depth": {"model"},
    "pose_ready": set(),
    "pose_inflight": set(),
    "pose_capacity": set(),
    "pose_people_per_image": {"model"},
    "pose_engine_up": {"model", "device"},
    "pose_engine_info": {"model", "device", "network", "engine", "precision", "max_batch"},
    "pose_streams": set(),
    "pose_frames_dropped": set(),
}


def families(text: str) -> dict[str, Metric]:
    """By name."""
    return {family.name: family for family in text_string_to_metric_families(text)}


async def scraped(http: httpx.AsyncClient) -> dict[str, Metric]:
    answer = await http.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return families(answer.text)


@pytest.fixture(scope="module")
def seen(model: Model, astronaut: bytes) -> dict[str, Metric]:
    """The metrics of a service that has answered a photograph over HTTP and gRPC."""

    async def see(running: Service) -> dict[str, Metric]:
        async with over_http(running) as http, over_grpc(running) as stub:
            await http.post("/v1/poses", content=astronaut)
            await stub.Estimate(pb.EstimateRequest(image=astronaut))
            await until(lambda: running.count("pose_batches_total", model=MODEL) == 2)
            return await scraped(http)

    with service(lent(model)) as running:
        return asyncio.run(see(running))


@pytest.mark.parametrize("name", NAMED)
def test_a_metric_has_its_name_and_labels(name: str, seen: dict[str, Metric]) -> None:
    assert {frozenset(sample.labels) - {"le"} for sample in seen[name].samples} == {
        frozenset(NAMED[name])
    }


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("pose_cancelled", "where"),
        ("pose_gpu_memory_bytes", "device"),
    ],
)
def test_what_has_not_happened_yet_is_listed(name: str, label: str) -> None:
    metrics = Metrics()
    (counted,) = [one for one in vars(metrics).values() if getattr(one, "_name", "") == name]
    assert counted._labelnames == (label,)
    assert name in families(metrics.text().decode())


def test_the_first_of_a_reason_and_of_a_restart_is_one_more_than_before(
    seen: dict[str, Metric],
) -> None:
    reasons = {"capacity", "deadline", "draining", "rate", "too_large", "unavailable"}
    assert {sample.labels["reason"] for sample in seen["pose_shed"].samples} == reasons
    (restarts,) = seen["pose_engine_restarts"].samples
    assert (restarts.labels, restarts.value) == ({"device": "cpu"}, 0)


async def test_a_service_tells_what_it_admits_and_whether_it_is_ready() -> None:
    with gated() as (running, _):
        assert running.count("pose_capacity") == running.admission.capacity
        assert running.count("pose_ready") == 1
        running.admission.state = State.DRAINING
        assert running.count("pose_ready") == 0


async def test_requests_are_counted_by_protocol_model_and_outcome() -> None:
    with gated() as (running, gate):
        gate.opened.set()
        async with over_http(running) as http, over_grpc(running) as stub:
            await http.post("/v1/poses", content=BLANK)
            await http.post("/v1/poses", content=b"no picture")
            await stub.Estimate(pb.EstimateRequest(image=BLANK))
            await until(lambda: running.count("pose_batches_total", model=MODEL) == 2)
    assert requests(running, "http", "ok") == 1
    assert requests(running, "http", "bad_image") == 1
    assert requests(running, "grpc", "ok") == 1
    assert running.count("pose_images_total", model=MODEL) == 2
    assert running.count("pose_batch_size_sum", model=MODEL) == 2


def requests(running: Service, protocol: str, code: str) -> float:
    return running.count("pose_requests_total", protocol=protocol, model=MODEL, code=code)


@pytest.mark.parametrize("stage", ["decode", "prepare", "queue", "infer", "group", "encode"])
def test_every_stage_is_timed_over_http_and_grpc(stage: str, seen: dict[str, Metric]) -> None:
    (count,) = [
        sample.value
        for sample in seen["pose_stage_seconds"].samples
        if sample.name.endswith("_count") and sample.labels["stage"] == stage
    ]
    assert count == 2


def test_what_runs_a_model_is_told(seen: dict[str, Metric]) -> None:
    (info,) = seen["pose_engine_info"].samples
    assert info.value == 1
    assert info.labels["model"] == MODEL
    assert (info.labels["device"], info.labels["engine"]) == ("cpu", "openvino")
    (up,) = seen["pose_engine_up"].samples
    assert (up.labels, up.value) == ({"model": MODEL, "device": "cpu"}, 1)


@pytest.mark.parametrize(
    "name", ["process_resident_memory_bytes", "process_open_fds", "process_cpu_seconds"]
)
def test_the_process_is_watched_too(name: str, seen: dict[str, Metric]) -> None:
    assert seen[name].samples[0].value > 0


async def test_callers_cannot_make_up_labels() -> None:
    with gated() as (running, _):
        async with over_http(running) as http, over_grpc(running) as stub:
            before = await samples(http)
            for number in range(20):
                await http.post(f"/v1/poses?model=made-up-{number}", content=BLANK)
                await http.post(f"/v1/made-up-{number}")
                await http.request(f"MADEUP{number}", "/v1/poses")
                call = stub.Estimate(pb.EstimateRequest(model=f"made-up-{number}"))
                await call.code()
            after = await samples(http)
    assert not any("made-up" in str(labels) for _, labels in after)
    assert len({labels["code"] for name, labels in after if name == "pose_requests_total"}) <= 3
    assert len(after) - len(before) < 100


async def samples(http: httpx.AsyncClient) -> list[tuple[str, dict[str, str]]]:
    """Name and labels of every one."""
    found = (await scraped(http)).values()
    return [(sample.name, sample.labels) for family in found for sample in family.samples]


def _no_power(_: object) -> None:
    raise NvmlError("not supported")


def test_gpus_are_asked_for_what_they_tell() -> None:
    registry, gpu = CollectorRegistry(), Gpu(1, "a GPU", "GPU-1", (9, 0), "1", 2**34)
    registry.register(GpuMetrics(nvml(nvmlDeviceGetPowerUsage=_no_power), [gpu]))

    def told(name: str) -> float | None:
        return registry.get_sample_value(name, {"device": "cuda:1"})

    assert told("pose_gpu_utilization_ratio") == 0.5
    assert told("pose_gpu_memory_used_bytes") == 2**30
    assert told("pose_gpu_temperature_celsius") == 40
    assert told("pose_gpu_power_watts") is None
