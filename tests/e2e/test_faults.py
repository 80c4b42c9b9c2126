"""What a real server does when an engine of it dies or hangs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engines.weights import Store
from service.console import ENGINE_DIED
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import STOP_S, Server, environment, server, until

KILL, HANG = signal.SIGUSR1, signal.SIGUSR2
WATCHDOG_S = 1.0
RESTARTS = 'pose_engine_restarts_total{device="cpu"}'
_Health = health_pb2.HealthCheckResponse


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose engines fail when they are told to."""
    settings = environment(store, watchdog=str(WATCHDOG_S), restarts="20")
    log = tmp_path_factory.mktemp("faulty") / "log"
    with server(settings, log, module="tests.e2e.faulty") as started:
        yield started
        assert started.stop() == 0, "also with a thread that hangs"


@pytest.fixture
def channel(served: Server) -> Iterator[grpc.Channel]:
    until(lambda: served.answers("/readyz"))
    with grpc.insecure_channel(served.grpc) as opened:
        yield opened


@pytest.mark.parametrize("fault", [KILL, HANG], ids=["dies", "hangs"])
def test_an_engine_that_fails_turns_readyz_and_grpc_health_to_not_serving_and_is_restarted(
    served: Server, channel: grpc.Channel, http: httpx.Client, astronaut: bytes, fault: int
) -> None:
    restarts = served.metric(RESTARTS)
    health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    assert next(health).status == _Health.SERVING
    served.process.send_signal(fault)
    assert_all_are_refused(served, channel, astronaut)
    assert next(health).status == _Health.NOT_SERVING
    assert http.get("/readyz").status_code == 503
    assert http.post("/v1/poses", content=astronaut).status_code == 503, "refused at once"
    assert http.get("/healthz").status_code == 200
    assert next(health).status == _Health.SERVING
    assert http.get("/readyz").status_code == 200
    assert len(http.post("/v1/poses", content=astronaut).json()["people"]) == 1
    assert served.metric(RESTARTS) == restarts + 1


def test_after_repeated_failure_the_process_ends_with_a_status_of_its_own(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    settings = environment(store, watchdog=str(WATCHDOG_S), restarts="1")
    with server(settings, tmp_path / "log", module="tests.e2e.faulty") as started:
        for fault in (HANG, KILL):
            until(lambda: started.answers("/readyz"))
            started.process.send_signal(fault)
            failed = httpx.post(f"{started.http}/v1/poses", content=astronaut, timeout=30)
            assert failed.status_code == 503, "answered first"
        assert started.process.wait(STOP_S) == ENGINE_DIED
        assert "cpu does not run after 1 restarts" in started.log


def test_a_server_with_an_engine_that_hangs_ends_within_the_grace_time(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    settings = environment(store, grace="1")
    with server(settings, tmp_path / "log", module="tests.e2e.faulty") as started:
        started.process.send_signal(HANG)
        with ThreadPoolExecutor(1) as callers:
            waits = callers.submit(
                httpx.post, f"{started.http}/v1/poses", content=astronaut, timeout=30
            )
            until(lambda: started.metric('pose_device_batches{device="cpu"}') == 1)
            assert started.stop(within=10) == 0
            assert waits.result().status_code == 503


def test_a_server_that_is_about_to_drain_is_not_ready_but_takes_work(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    with (
        server(environment(store, drain_delay="2"), tmp_path / "log") as started,
        grpc.insecure_channel(started.grpc) as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(health).status == _Health.SERVING
        started.process.terminate()
        assert next(health).status == _Health.NOT_SERVING
        assert httpx.get(f"{started.http}/readyz").status_code == 503
        assert httpx.post(f"{started.http}/v1/poses", content=astronaut).status_code == 200
        assert started.process.wait(STOP_S) == 0


def assert_all_are_refused(served: Server, channel: grpc.Channel, image: bytes) -> None:
    """That a few requests at once, one of which meets the fault, may all be sent again."""
    stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
    with httpx.Client(base_url=served.http, timeout=30) as http, ThreadPoolExecutor(6) as callers:
        posted = [callers.submit(http.post, "/v1/poses", content=image) for _ in range(3)]
        called = [callers.submit(stub.Estimate, pb.EstimateRequest(image=image)) for _ in range(3)]
        answers = [one.result() for one in posted]
        errors = [one.exception() for one in called]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.json()["error"]["code"] for answer in answers} == {"unavailable"}
    for error in errors:
        assert isinstance(error, grpc.RpcError)
        assert error.code() == grpc.StatusCode.UNAVAILABLE
