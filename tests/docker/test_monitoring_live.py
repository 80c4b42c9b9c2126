"""A real Prometheus that asks a real service and a real proxy what the dashboard shows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from prometheus_client import start_http_server

from engines.runtime.gpus import Gpu
from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from service.telemetry.gpu_metrics import GpuMetrics
from service.telemetry.metrics import Metrics
from tests.docker.programs import program
from tests.docker.prometheus import Prometheus, prometheus
from tests.docker.promql import Query, dashboard, metrics, queries
from tests.e2e.server import HOST, Server, environment, free_port, server, until
from tests.service.telemetry.nvml import nvml

KEY = "the-key-of-the-test"
OWN = {"ALERTS", "up"}  # of Prometheus itself
PROXY = """
defaults
    mode http
    timeout connect 2s
    timeout client 9s
    timeout server 9s
frontend http
    bind {host}:{port}
    default_backend http
frontend metrics
    bind {host}:{metrics}
    http-request use-service prometheus-exporter if {{ path /metrics }}
backend http
    option httpchk GET /readyz
    server replica {server} check inter 200ms
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("monitoring")


@pytest.fixture(scope="module")
def key(folder: Path) -> Path:
    path = folder / "key"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture(scope="module")
def served(store: Store, folder: Path, key: Path) -> Iterator[Server]:
    """Shows its metrics to those alone who have the key."""
    settings = environment(store, api_keys_file=str(key), max_bytes="100000")
    with server(settings, folder / "server") as started:
        yield started


@pytest.fixture(scope="module")
def proxy(served: Server, folder: Path) -> Iterator[str]:
    """The address of an HAProxy's metrics, through which the service was asked."""
    port, told = free_port(), free_port()
    settings = folder / "haproxy.cfg"
    replica = f"{HOST}:{served.http_port}"
    settings.write_text(PROXY.format(host=HOST, port=port, metrics=told, server=replica))
    with subprocess.Popen([program("haproxy", "haproxy"), "-f", settings]) as process:
        try:
            until(lambda: answers(f"http://{HOST}:{port}/healthz"))
            yield f"{HOST}:{told}"
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def seen(
    served: Server, proxy: str, folder: Path, key: Path, astronaut: bytes
) -> Iterator[Prometheus]:
    """What has come of requests that were answered and refused, before and between two looks."""
    replica = f"{HOST}:{served.http_port}"
    ask(served, astronaut)
    with troubled() as other:
        targets = {"posewire": {replica: "posewire", other: "posewire-gpu"}, "proxy": {proxy: ""}}
        with prometheus(folder, targets, key) as started:
            until(lambda: looks(started, replica) >= 1)
            ask(served, astronaut)
            until(lambda: looks(started, replica) >= 3)
            yield started


def ask(served: Server, picture: bytes) -> None:
    """Once over HTTP and once over gRPC, and for one picture that is too large."""
    with httpx.Client(base_url=served.http, headers={"x-api-key": KEY}, timeout=30) as http:
        assert http.post("/v1/poses", content=picture).is_success
        assert http.post("/v1/poses", content=bytes(200_000)).status_code == 413
    with grpc.insecure_channel(served.grpc) as channel:
        stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        stub.Estimate(pb.EstimateRequest(image=picture), metadata=(("x-api-key", KEY),))


def looks(asking: Prometheus, replica: str) -> int:
    """How often the replica's metrics were read."""
    found = asking.ask("query", query=f'count_over_time(up{{instance="{replica}"}}[1m])')["result"]
    return int(found[0]["value"][1]) if found else 0


@contextmanager
def troubled() -> Iterator[str]:
    """The address of another replica's metrics: of one with a GPU, whose engines have fallen."""
    with_gpu = Metrics()
    with_gpu.restarts.labels("cuda:0").inc()
    with_gpu.gpu_memory.labels("cuda:0").set(2**30)
    with_gpu.cancelled.labels("queue").inc()
    gpu = Gpu(0, "a GPU", "GPU-0", (9, 0), "1", 2**34)
    with_gpu.registry.register(GpuMetrics(nvml(), [gpu]))
    listening, thread = start_http_server(0, HOST, with_gpu.registry)
    try:
        yield f"{HOST}:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def answers(address: str) -> bool:
    try:
        return httpx.get(address).is_success
    except httpx.TransportError:
        return False


def told(text: str) -> set[str]:
    """Names of samples at a /metrics, also of those that nothing was counted for yet."""
    kinds = re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text)
    parts = {"histogram": ("_bucket", "_count", "_sum")}
    return {f"{name}{part}" for name, kind in kinds for part in parts.get(kind, ("",))}


def test_all_that_dashboard_and_alerts_name_is_in_metrics(
    served: Server, proxy: str, astronaut: bytes
) -> None:
    ask(served, astronaut)
    own = httpx.get(f"{served.http}/metrics", headers={"x-api-key": KEY}).text
    with troubled() as other:
        gpu = httpx.get(f"http://{other}/metrics").text
    of_gpu = {name for name in told(gpu) if name.startswith("pose_gpu_")}
    balanced = told(httpx.get(f"http://{proxy}/metrics").text)
    asked = metrics()
    assert {name for name in asked if name.startswith("haproxy_")} <= balanced
    assert asked - balanced - of_gpu - OWN <= told(own)


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.panel)
def test_a_query_gives_what_its_panel_shows(query: Query, seen: Prometheus) -> None:
    until(lambda: bool(seen.query(query.expression)), 10)
    assert all(query.labels <= set(labels) for labels in seen.query(query.expression))


def test_each_replica_and_the_proxy_are_asked_with_the_key(seen: Prometheus) -> None:
    up = seen.query("up == 1")
    assert sorted(one["job"] for one in up) == ["posewire", "posewire", "prometheus", "proxy"]
    replicas = seen.query('up{job="posewire"} == 1')
    assert {one["service"] for one in replicas} == {"posewire", "posewire-gpu"}


def test_who_chooses_a_replica_or_a_model_is_offered_them(seen: Prometheus) -> None:
    for variable in dashboard()["templating"]["list"]:
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert asked
        assert seen.ask(f"label/{asked[2]}/values", **{"match[]": asked[1]})


def test_alerts_are_reckoned_and_none_fires_where_all_is_well(seen: Prometheus) -> None:
    rules = [rule for group in seen.ask("rules")["groups"] for rule in group["rules"]]
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
    assert not seen.query('ALERTS{alertstate="firing"}')
    waiting = {(one["alertname"], one.get("service")) for one in seen.query("ALERTS")}
    assert ("PosewireNotReady", "posewire-gpu") in waiting
    assert ("PosewireNotReady", "posewire") not in waiting
