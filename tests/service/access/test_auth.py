"""Who has a key may call, over HTTP and gRPC; everybody else may ask for health alone."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc
from starlette.types import Message, Scope

from service.access.auth import Guard
from service.errors import UnauthorizedError
from service.http.rest import create_app
from service.pb import inference_pb2 as kserve
from service.pb import pose_pb2 as pb
from service.pb.inference_pb2_grpc import GRPCInferenceServiceStub
from service.pb.pose_pb2_grpc import PoseServiceStub
from service.settings import Settings
from tests.service.command import Posewire
from tests.service.serving import (
    BLANK,
    Gate,
    Service,
    assert_refused,
    assert_rpc_refused,
    model_of,
    over_channel,
    over_grpc,
    over_http,
    service,
)

FIRST, SECOND = "first-key-3f1c", "second-key-a2b4"
REQUEST = pb.EstimateRequest(image=BLANK)
HEADERS = [
    {"Authorization": f"Bearer {FIRST}"},
    {"authorization": f"bearer  {SECOND}"},
    {"X-API-Key": FIRST},
    {"x-api-key": SECOND, "Authorization": "Basic dXNlcjpwYXNz"},
]
WRONG: list[dict[str, str]] = [
    {},
    {"X-API-Key": ""},
    {"X-API-Key": FIRST[:-1]},
    {"X-API-Key": FIRST + "x"},
    {"X-API-Key": FIRST.upper()},
    {"X-API-Key": f"{FIRST},{SECOND}"},
    {"X-API-Key": "k" * 5000},
    {"Authorization": FIRST},
    {"Authorization": f"Basic {FIRST}"},
    {"Authorization": "Bearer"},
    {"Authorization": f"Bearer {FIRST} {SECOND}"},
    {"Authorization": "Bearer wrong", "X-API-Key": FIRST},
]


@pytest.fixture
def running() -> Iterator[Service]:
    with opened(api_keys=(FIRST, SECOND)) as serving:
        yield serving


def opened(**settings: Any) -> Any:
    gate = Gate()
    gate.opened.set()
    return service(model_of(gate), **settings)


def given(**settings: Any) -> Settings:
    """As the environment would give them."""
    return Settings(**settings)


def pairs(headers: dict[str, str]) -> list[tuple[str, str]]:
    """As gRPC's metadata."""
    return [(name.lower(), value) for name, value in headers.items()]


@pytest.mark.parametrize("headers", HEADERS, ids=str)
async def test_a_caller_with_a_key_is_answered(
    http: httpx.AsyncClient, stub: PoseServiceStub, headers: dict[str, str]
) -> None:
    assert (await http.post("/v1/poses", content=BLANK, headers=headers)).status_code == 200
    assert (await stub.Estimate(REQUEST, metadata=pairs(headers))).width == 96


@pytest.mark.parametrize("headers", WRONG, ids=lambda one: str(one)[:60])
async def test_a_caller_without_a_key_is_refused(
    http: httpx.AsyncClient, stub: PoseServiceStub, running: Service, headers: dict[str, str]
) -> None:
    answer = await http.post("/v1/poses", content=BLANK, headers=headers)
    assert_refused(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Estimate(REQUEST, metadata=pairs(headers))
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    for protocol in ("http", "grpc"):
        counted = {"protocol": protocol, "model": "", "code": "unauthorized"}
        assert running.count("pose_requests_total", **counted) == 1


async def test_a_refused_call_has_the_form_of_every_refusal(stub: PoseServiceStub) -> None:
    status = grpc.StatusCode.UNAUTHENTICATED
    await assert_rpc_refused(stub, REQUEST, status, "unauthorized")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/poses"),
        ("POST", "/v1/render"),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/any"),
        ("GET", "/v2"),
        ("POST", "/v2/models/any/infer"),
        ("GET", "/metrics"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/static-offline-docs/swagger-ui.css"),
        ("GET", "/"),
        ("OPTIONS", "/v1/poses"),
        ("GET", "/healthz/"),
        ("GET", "//healthz"),
        ("GET", "/healthz/../v1/models"),
        ("GET", "/v2/health/live/../../models"),
        ("GET", "/v1/models?/healthz"),
    ],
)
async def test_nothing_but_health_is_open(http: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await http.request(method, path)).status_code == 401


async def test_health_is_open(http: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
        assert (await http.get(path)).status_code == 200, path


async def test_health_over_grpc_is_open_and_the_rest_is_not(running: Service) -> None:
    async with over_channel(running) as channel:  # its refused streams send nothing: see there
        stub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        health = health_pb2_grpc.HealthStub(channel)
        await health.Check(health_pb2.HealthCheckRequest(), wait_for_ready=True)
        inference = GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        assert (await inference.ServerLive(kserve.ServerLiveRequest())).live
        assert (await inference.ServerReady(kserve.ServerReadyRequest())).ready
        reflected = reflection_pb2_grpc.ServerReflectionStub(channel)
        refused_calls: list[Any] = [
            stub.ListModels(pb.ListModelsRequest()),
            stub.EstimateStream().read(),
            inference.ModelInfer(kserve.ModelInferRequest()),
            _untyped(channel).unary_unary("/pose.v1.PoseService/None")(b""),
            reflected.ServerReflectionInfo().read(),
        ]
        for call in refused_calls:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


async def test_metrics_are_open_by_choice() -> None:
    with opened(api_keys=(FIRST,), metrics_open=True) as running:
        async with over_http(running) as http:
            assert (await http.get("/metrics")).status_code == 200
            assert (await http.get("/v1/models")).status_code == 401


async def test_without_keys_everybody_may_call() -> None:
    with opened() as running:
        async with over_http(running) as http, over_grpc(running) as stub:
            assert (await http.get("/v1/models")).status_code == 200
            assert (await stub.Estimate(REQUEST)).width == 96


async def test_a_caller_is_refused_before_the_body_is_read(running: Service) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body is read")

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/poses",
        "raw_path": b"/v1/poses",
        "root_path": "",
        "query_string": b"",
        "headers": [],
    }
    await create_app(running.core)(scope, receive, send)
    assert sent[0]["status"] == 401


async def test_a_call_is_refused_before_its_message_is_read(running: Service) -> None:
    async with over_channel(running) as channel:
        call = _untyped(channel).stream_unary(
            "/pose.v1.PoseService/Estimate"
        )()  # whose message stays away
        assert await call.code() == grpc.StatusCode.UNAUTHENTICATED


def test_every_key_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    guard = Guard.of(given(api_keys=(FIRST, SECOND, "third")))
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for key in (FIRST, SECOND):
        guard.admit("", key)
    with pytest.raises(UnauthorizedError):
        guard.admit("", "x")
    assert compared == [(32, 32)] * 9  # of digests, which tell nothing of a key's length


def test_keys_come_from_files_too(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text(f"# of the team\n\n {FIRST} \r\n#{SECOND}\n")
    other.write_text("in-another-file")
    guard = Guard.of(given(api_keys=("given",), api_keys_file=f"{one},{other}"))
    for key in ("given", FIRST, "in-another-file"):
        assert guard.admit("", key)
    for key in (SECOND, f"#{SECOND}", "# of the team"):
        with pytest.raises(UnauthorizedError):
            guard.admit("", key)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "no key"),
        (b"# none\n", "no key"),
        (b"a b", "visible ASCII"),
        (b"\xff\xfe", "text file"),
        (b"k" * 513, "512"),
    ],
    ids=str,
)
def test_a_file_without_keys_is_an_error_in_one_line(
    content: bytes | None, said: str, posewire: Posewire, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    result = posewire("serve", "--http-port=0", "--grpc-port=0", POSEWIRE_API_KEYS_FILE=str(file))
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2
    assert said in line
    assert str(file) in line


@pytest.mark.parametrize("wrong", ["with space", "schlüssel", "k" * 513])
def test_what_is_no_key_is_refused_and_not_told(wrong: str, posewire: Posewire) -> None:
    result = posewire("serve", "--http-port=0", POSEWIRE_API_KEYS=f"fine,{wrong}")
    assert result.exit_code == 2
    assert "POSEWIRE_API_KEYS" in result.stderr
    assert wrong not in result.stderr


def test_a_key_is_shown_nowhere(
    posewire: Posewire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        shown = posewire("config", POSEWIRE_API_KEYS=f"{FIRST},{SECOND}").stdout
    assert "POSEWIRE_API_KEYS=****" in shown
    settings = given(api_keys=(FIRST,))
    guard = Guard.of(settings)
    for text in (shown, repr(settings), str(settings), repr(guard), caplog.text):
        assert FIRST not in text
        assert SECOND not in text


def test_a_process_with_the_same_settings_has_the_keys(
    bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = given(api_keys=(FIRST, SECOND), cors_origins=("*",), tls_key=Path("key"))
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings
    assert Guard.of(Settings()).admit("", SECOND)


def _untyped(channel: Any) -> Any:
    return channel
