"""How a real server starts, stops, and says why it cannot start."""

from __future__ import annotations

import queue
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import HOST, environment, fails, free_port, server, until

MODEL = "lightweight-openpose-int8"


def test_what_was_accepted_before_sigterm_is_answered(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    many = 12
    with server(
        environment(store, height="736", max_images=str(many)), tmp_path / "log"
    ) as started:
        with (
            httpx.Client(base_url=started.http, timeout=60) as http,
            grpc.insecure_channel(started.grpc) as channel,
            ThreadPoolExecutor(many) as callers,
        ):
            stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            posted = [
                callers.submit(http.post, "/v1/poses", content=astronaut) for _ in range(many // 2)
            ]
            called = [
                callers.submit(stub.Estimate, pb.EstimateRequest(image=astronaut))
                for _ in range(many // 2)
            ]
            answered = f'pose_images_total{{model="{MODEL}"}}'
            until(lambda: started.metric(answered) + started.metric("pose_inflight") >= many)
            assert started.stop() == 0
            assert [one.result().status_code for one in posted] == [200] * (many // 2)
            assert all(one.result().people for one in called)
        assert re.search("draining: [1-9]", started.log), "nothing was under way"
        assert "Traceback" not in started.log
        assert "Warning" not in started.log


def test_idle_callers_do_not_keep_a_stopped_service_alive(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    frames: queue.SimpleQueue[pb.EstimateStreamRequest | None] = queue.SimpleQueue()
    request = pb.EstimateRequest(image=astronaut)
    with server(environment(store, grace="10"), tmp_path / "log") as started:
        with (
            httpx.Client(base_url=started.http) as http,
            grpc.insecure_channel(started.grpc) as channel,
        ):
            http.get("/healthz")
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
            stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            stream = stub.EstimateStream(iter(frames.get, None))
            frames.put(pb.EstimateStreamRequest(frame_id="only", request=request))
            assert next(stream).frame_id == "only"
            try:
                assert started.stop(within=5) == 0
            finally:
                frames.put(None)
        assert "Traceback" not in started.log


def test_a_service_told_to_stop_while_it_starts_stops(store: Store, tmp_path: Path) -> None:
    with server(environment(store), tmp_path / "log", ready="/healthz") as started:
        assert started.stop() == 0
        assert "Traceback" not in started.log


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_port_that_is_taken_is_named_in_one_line(store: Store, protocol: str) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        ports = {"http": free_port(), "grpc": free_port(), protocol: port}
        ended = fails(environment(store), ports["http"], ports["grpc"])
    assert ended.returncode not in {0, 3}
    assert_one_line(ended.stderr, f"{HOST}:{port}", f"POSEWIRE_{protocol.upper()}_PORT")


def test_a_second_server_on_the_same_ports_says_so_in_one_line(
    store: Store, tmp_path: Path
) -> None:
    with server(environment(store), tmp_path / "log") as first:
        second = fails(environment(store), first.http_port, first.grpc_port)
        assert second.returncode not in {0, 3}
        assert_one_line(second.stderr, "free the port")
        assert first.answers("/readyz")


def test_without_network_and_mirror_the_missing_file_is_named_in_one_line(tmp_path: Path) -> None:
    nowhere = f"http://{HOST}:9"  # the discard port, where nothing listens
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere)
    bare = environment(Store(tmp_path / "cache")) | proxies
    ended = fails(bare, free_port(), free_port())
    assert ended.returncode == 3
    assert_one_line(
        ended.stderr, "human-pose-estimation-0001.xml", "POSEWIRE_MIRROR", "posewire import"
    )
    assert not list(tmp_path.rglob("*.*")), "something half-written is left"


def assert_one_line(text: str, *parts: str) -> None:
    """That the text complains once, whatever the log says of what went well before."""
    (line,) = (line for line in text.splitlines() if " INFO " not in line)
    for part in parts:
        assert part in line
