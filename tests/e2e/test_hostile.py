"""A real server under hostile requests: bounded memory, health at once, and no address fetched."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import HOST, Server, environment, server

MIB = 2**20


@pytest.fixture(scope="module")
def served(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("server") / "log"
    settings = {"timeout": "3", "max_connections": "40"}
    with server(environment(store, **settings), log) as started:
        yield started
    assert "Traceback" not in started.log


class Listener:
    """Where nobody must come."""

    def __init__(self) -> None:
        self._socket = socket.create_server((HOST, 0))
        self._socket.settimeout(0.3)
        self.port = self._socket.getsockname()[1]

    @property
    def was_asked(self) -> bool:
        with contextlib.suppress(TimeoutError):
            self._socket.accept()[0].close()
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.close()


def bodies(url: str) -> dict[str, bytes]:
    """That name an address."""
    svg = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink"><image xlink:href="{url}"/></svg>'
    entity = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><a>&x;</a>'
    return {
        "address": url.encode(),
        "svg": svg.encode(),
        "html": f'<html><img src="{url}"><link href="{url}" rel=stylesheet></html>'.encode(),
        "xml": entity.encode(),
        "json": f'{{"url": "{url}", "image": "{url}", "image_url": {{"url": "{url}"}}}}'.encode(),
        "playlist": f"#EXTM3U\n#EXTINF:1\n{url}\n".encode(),
        "magick": f"push graphic-context\nimage over 0,0 0,0 '{url}'\n".encode(),
        "redirect": f"[InternetShortcut]\nURL={url}\n".encode(),
    }


def test_no_address_in_a_request_is_ever_fetched(
    served: Server, http: httpx.Client, listener: Listener
) -> None:
    url = f"http://{HOST}:{listener.port}/picture.jpg"
    with grpc.insecure_channel(served.grpc) as channel:
        stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        for body in bodies(url).values():
            for kind in ("image/jpeg", "image/svg+xml", "application/json", "text/uri-list"):
                headers = {"Content-Type": kind, "Referer": url, "Location": url}
                assert http.post("/v1/poses", content=body, headers=headers).is_client_error
            assert http.post("/v1/render", files=[("image", body)]).is_client_error
            inputs = [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [url]}]
            path = "/v2/models/lightweight-openpose-int8/infer"
            assert http.post(path, json={"inputs": inputs}).is_client_error
            with pytest.raises(grpc.RpcError):
                stub.Estimate(pb.EstimateRequest(image=body))
        for name in ("model", "detector", "url", "image", "image_url", "callback"):
            assert http.post("/v1/poses", params={name: url}, content=b"x").is_client_error
        with pytest.raises(grpc.RpcError):
            stub.Estimate(pb.EstimateRequest(image=b"x", model=url))
    form = [("image", (None, url)), ("url", (None, url))]
    assert http.post("/v1/poses", files=form).is_client_error
    assert not listener.was_asked
    with socket.create_connection((HOST, listener.port)):
        assert listener.was_asked, "the test could not have seen it"


@contextlib.contextmanager
def watched(served: Server) -> Iterator[dict[str, float]]:
    """The slowest answer of health and the most memory meanwhile, over what it was before."""
    process = psutil.Process(served.process.pid)
    before = process.memory_info().rss / MIB
    most = {"seconds": 0.0, "mebibytes": 0.0}
    ended = threading.Event()

    def watch() -> None:
        with httpx.Client(base_url=served.http, timeout=10) as client:
            while not ended.is_set():
                began = time.monotonic()
                assert client.get("/readyz").status_code == 200
                most["seconds"] = max(most["seconds"], time.monotonic() - began)
                used = process.memory_info().rss / MIB - before
                most["mebibytes"] = max(most["mebibytes"], used)

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield most
        finally:
            ended.set()
            watching.result()


def flood(served: Server, start: bytes, again: bytes, most: int) -> bytes:
    """Sends until it is refused, or that many bytes; what came back."""
    with socket.create_connection((HOST, served.http_port), timeout=10) as caller:
        sent = 0
        with contextlib.suppress(OSError):
            caller.sendall(start)
            while sent < most:
                caller.sendall(again)
                sent += len(again)
        came = b""
        with contextlib.suppress(OSError):
            while part := caller.recv(1 << 16):
                came += part
        return came


POST = b"POST /v1/poses HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
FLOODS: dict[str, tuple[bytes, bytes]] = {
    "a header without end": (POST + b"X-A: ", b"a" * MIB),
    "headers without end": (POST, b"X-A: b\r\n" * 100_000),
    "an address without end": (b"GET /", b"a" * MIB),
    "lines without end": (b"", b"\r\n" * 500_000),
    "chunks without end": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n",
        b"100000\r\n" + bytes(MIB) + b"\r\n",
    ),
    "trailers without end": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
        b"X-A: b\r\n" * 100_000,
    ),
    "requests without end": (b"", b"GET /healthz HTTP/1.1\r\n\r\n" * 10_000),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_what_has_no_end_costs_little_memory_and_health_is_answered(
    served: Server, kind: str
) -> None:
    with watched(served) as most, ThreadPoolExecutor(4) as callers:
        start, again = FLOODS[kind]
        for one in [callers.submit(flood, served, start, again, 30 * MIB) for _ in range(4)]:
            one.result()
    assert most["mebibytes"] < 100
    assert most["seconds"] < 2


def test_slow_callers_in_every_place_do_not_keep_health_from_its_answer(served: Server) -> None:
    begun = (b"", POST, POST + b"Content-Length: 9999\r\n\r\n\xff", b"\x16\x03\x01")
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(socket.create_connection((HOST, port)))
            for _ in range(100)
            for port in (served.http_port, served.grpc_port)
        ]
        for index, caller in enumerate(slow):
            with contextlib.suppress(OSError):  # it had to make room for another one
                caller.sendall(begun[index // 2 % len(begun)])
        began = time.monotonic()
        for _ in range(20):
            with httpx.Client(base_url=served.http, timeout=5) as client:
                assert client.get("/readyz").status_code == 200
                assert client.get("/healthz").status_code == 200
        assert time.monotonic() - began < 5


def test_a_compressed_bomb_costs_little_memory(served: Server, http: httpx.Client) -> None:
    bomb = gzip.compress(bytes(100 * MIB), 1)
    with watched(served) as most, grpc.insecure_channel(served.grpc) as channel:
        headers = {"Content-Encoding": "gzip"}
        assert http.post("/v1/poses", content=bomb, headers=headers).status_code == 415
        estimate: Any = channel.unary_unary("/pose.v1.PoseService/Estimate")
        with pytest.raises(grpc.RpcError) as refused:
            estimate(bytes(100 * MIB), compression=grpc.Compression.Gzip)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert most["mebibytes"] < 150


def test_after_all_that_pictures_are_answered(
    served: Server, http: httpx.Client, astronaut: bytes
) -> None:
    assert http.post("/v1/poses", content=astronaut).json()["people"]
    with grpc.insecure_channel(served.grpc) as channel:
        stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        estimate = stub.Estimate(pb.EstimateRequest(image=astronaut), wait_for_ready=True)
        assert estimate.people
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
