"""What operators see of a real server: its log, its metrics, and its traces."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import grpc
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import HOST, START_S, Server, environment, server, until
from tests.shared import ROOT

ID = "of-the-test"


@dataclass(frozen=True, slots=True)
class Receiver:
    """What an OTLP receiver has been sent."""

    port: int
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def address(self) -> dict[str, str]:
        """In the environment of who sends."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{self.port}"}

    @property
    def services(self) -> set[str]:
        """Names of who sent."""
        resources = [one.resource for sent in self.requests for one in sent.resource_spans]
        return {
            pair.value.string_value
            for resource in resources
            for pair in resource.attributes
            if pair.key == "service.name"
        }

    def named(self, name: str) -> list[Span]:
        resources = [one for sent in self.requests for one in sent.resource_spans]
        scopes = [scope for resource in resources for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans if span.name == name]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Takes traces on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            started.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), Handler) as listening:
        started = Receiver(listening.server_port)
        thread = Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        try:
            yield started
        finally:
            listening.shutdown()
            thread.join()


def records(served: Server) -> list[dict[str, Any]]:
    """Of a log of JSON; every line of it must be an object."""
    return [json.loads(line) for line in served.log.splitlines()]


def post(served: Server, picture: bytes) -> httpx.Response:
    return httpx.post(
        f"{served.http}/v1/poses", content=picture, headers={"x-request-id": ID}, timeout=30
    )


def test_a_log_of_json_is_json_in_every_line_whoever_speaks(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    with server(environment(store, log_format="json"), tmp_path / "log") as served:
        assert post(served, astronaut).headers["x-request-id"] == ID
        with socket.create_connection((HOST, served.http_port)) as garbage:
            garbage.sendall(b"garbage\r\n\r\n")
            garbage.recv(1024)
        with grpc.insecure_channel(served.grpc) as channel:
            stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            stub.Estimate(pb.EstimateRequest(image=astronaut), metadata=(("x-request-id", ID),))
        assert served.stop() == 0
    told = records(served)
    requests = [one for one in told if one.get("request_id") == ID]
    assert [one["logger"] for one in requests] == ["posewire.requests"] * 2
    assert [one["protocol"] for one in requests] == ["http", "grpc"]
    assert [one["people"] for one in requests] == [1, 1]
    assert {"posewire", "posewire.requests", "uvicorn.error"} <= {one["logger"] for one in told}
    assert all({"time", "level", "message"} <= one.keys() for one in told)
    assert not [one for one in told if "readyz" in one["message"]], "probes are not logged"


def test_a_quiet_server_says_nothing_while_all_is_well(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    with server(environment(store, log_level="WARNING"), tmp_path / "log") as served:
        assert post(served, astronaut).is_success
        assert served.stop() == 0
    assert served.log == ""


def test_server_timing_names_the_stages_of_a_picture_in_milliseconds(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    with server(environment(store), tmp_path / "log") as served:
        answer = post(served, astronaut)
        drawn = httpx.post(f"{served.http}/v1/render", content=astronaut, timeout=30)
        refused = post(served, b"no picture")
        several = [("image", astronaut), ("image", astronaut)]
        many = httpx.post(f"{served.http}/v1/poses", files=several, timeout=30)
    stages = {"decode", "prepare", "queue", "infer", "group", "total"}
    told = timings(answer)
    assert set(told) == {*stages, "encode"}
    assert stages <= set(timings(drawn))
    spent = answer.json()["timings_ms"]
    assert all(abs(told[stage] - spent[stage]) <= 1e-3 * (1 + spent[stage]) for stage in stages)
    assert "server-timing" not in refused.headers
    assert "server-timing" not in many.headers


def timings(answer: httpx.Response) -> dict[str, float]:
    """As a browser reads the header: names with a parameter `dur`, separated by commas."""
    metrics = [metric.strip().split(";") for metric in answer.headers["server-timing"].split(",")]
    return {name: float(duration.removeprefix("dur=")) for name, duration in metrics}


def test_traces_reach_a_receiver_before_the_server_has_stopped(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    with receiver() as sent:
        settings = environment(store, traces="true") | sent.address
        with server(settings, tmp_path / "log") as served:
            assert post(served, astronaut).is_success
            assert served.stop() == 0
    (request,) = sent.named("POST /v1/poses")
    for stage in ("decode", "prepare", "queue", "infer", "group", "encode"):
        (span,) = sent.named(stage)
        assert (span.parent_span_id, span.trace_id) == (request.span_id, request.trace_id)
    (batch,) = sent.named("batch")
    assert [link.span_id for link in batch.links] == [request.span_id]
    assert sent.services == {"posewire"}


def test_a_receiver_that_does_not_answer_keeps_no_server_alive(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    with socket.create_server((HOST, 0)) as deaf:
        silent = Receiver(deaf.getsockname()[1])
        settings = environment(store, traces="true") | silent.address
        with server(settings, tmp_path / "log") as served:
            assert post(served, astronaut).is_success
            assert served.stop(within=10) == 0


def test_traces_without_their_extra_end_the_start_in_one_line(store: Store) -> None:
    absent = "import sys; sys.modules['opentelemetry.sdk'] = None"
    start = "from service.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", f"{absent}; {start}", "serve"],
        cwd=ROOT,
        env=environment(store, traces="true", log_level="WARNING"),
        capture_output=True,
        text=True,
        timeout=START_S,
        check=False,
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("posewire: opentelemetry.sdk")
    assert line.endswith(" is not installed; run: pip install 'posewire[otel]'")


def test_a_plain_server_loads_no_tracing() -> None:
    loaded = "import sys, service.app; print('opentelemetry.sdk' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "False"


def test_the_process_memory_and_files_are_among_the_metrics(store: Store, tmp_path: Path) -> None:
    with server(environment(store), tmp_path / "log") as served:
        assert served.metric("process_resident_memory_bytes") > 10e6
        assert served.metric("process_open_fds") > 5
        until(lambda: served.metric("pose_inflight") == 0)
