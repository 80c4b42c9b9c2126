"""A real server with keys and TLS: who may call, and what its log does not tell."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from engines.weights import Store
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub
from tests.e2e.server import HOST, Server, environment, server, until
from tests.service.certificates import Authority, Pair

KEY, FILED = "a-key-that-nobody-shall-read", "another-one-in-a-file"
MODELS = pb.ListModelsRequest()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Pair:
    """Of the server."""
    return authority.pair("server")


def settings(own: Pair, folder: Path) -> dict[str, str]:
    (folder / "keys").write_text(f"# of the tests\n{FILED}\n")
    return {
        "api_keys": KEY,
        "api_keys_file": str(folder / "keys"),
        "tls_certificate": str(own.certificate),
        "tls_key": str(own.key),
        "log_level": "DEBUG",
    }


@pytest.fixture(scope="module")
def served(store: Store, own: Pair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With keys, over TLS."""
    folder = tmp_path_factory.mktemp("tls")
    chosen = environment(store, **settings(own, folder))
    with server(chosen, folder / "log", ready=None) as started:
        yield started


@pytest.fixture(scope="module")
def mutual(
    store: Store, own: Pair, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The same, for callers with certificates."""
    folder = tmp_path_factory.mktemp("mutual")
    chosen = settings(own, folder) | {"tls_client_ca": str(authority.ca)}
    with server(environment(store, **chosen), folder / "log", ready=None) as started:
        yield started


def client(
    served: Server, authority: Authority, pair: Pair | None = None, key: str = KEY
) -> httpx.Client:
    """That trusts the authority, and shows a certificate if it has one."""
    context = ssl.create_default_context(cafile=authority.ca)
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    address = f"https://{HOST}:{served.http_port}"
    return httpx.Client(base_url=address, verify=context, headers={"X-API-Key": key})


def channel(served: Server, authority: Authority, pair: Pair | None = None) -> grpc.Channel:
    """As `client`."""
    shown = (pair.key.read_bytes(), pair.certificate.read_bytes()) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.ca.read_bytes(), *shown)
    return grpc.secure_channel(served.grpc, credentials)


def models(opened: grpc.Channel, key: str = KEY) -> list[str]:
    """Over gRPC."""
    stub = PoseServiceStub(opened)  # type: ignore[no-untyped-call] # generated
    answer = stub.ListModels(MODELS, metadata=[("x-api-key", key)], timeout=20)
    return [model.name for model in answer.models]


@pytest.mark.parametrize("key", [KEY, FILED])
def test_a_picture_is_answered_over_tls(
    served: Server, authority: Authority, astronaut: bytes, key: str
) -> None:
    with client(served, authority, key=key) as http, channel(served, authority) as opened:
        assert http.post("/v1/poses", content=astronaut).json()["people"]
        stub = PoseServiceStub(opened)  # type: ignore[no-untyped-call] # generated
        request, metadata = (
            pb.EstimateRequest(image=astronaut),
            [("authorization", f"Bearer {key}")],
        )
        assert stub.Estimate(request, metadata=metadata).people


def test_a_wrong_key_is_refused_over_tls(served: Server, authority: Authority) -> None:
    with client(served, authority, key="wrong") as http, channel(served, authority) as opened:
        assert http.get("/v1/models").status_code == 401
        assert http.get("/readyz").status_code == 200
        with pytest.raises(grpc.RpcError) as refused:
            models(opened, "wrong")
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_nothing_is_answered_without_tls(served: Server) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{served.http}/healthz")
    with grpc.insecure_channel(served.grpc) as opened, pytest.raises(grpc.RpcError) as refused:
        models(opened)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("port", ["http_port", "grpc_port"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_no_tls_before_1_2_is_spoken(served: Server, port: str, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection((HOST, getattr(served, port))) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain)


def test_with_mutual_tls_a_caller_shows_a_certificate(
    mutual: Server, authority: Authority, astronaut: bytes
) -> None:
    own = authority.pair("caller")
    with client(mutual, authority, own) as http, channel(mutual, authority, own) as opened:
        assert http.post("/v1/poses", content=astronaut).json()["people"]
        assert models(opened) == ["lightweight-openpose-int8"]


@pytest.mark.parametrize("which", ["none", "of another authority"])
def test_with_mutual_tls_a_caller_without_certificate_is_refused(
    mutual: Server, authority: Authority, which: str, tmp_path: Path
) -> None:
    shown = None if which == "none" else Authority(tmp_path).pair("caller")
    with client(mutual, authority, shown) as http, pytest.raises(httpx.TransportError):
        http.get("/healthz")
    with channel(mutual, authority, shown) as opened, pytest.raises(grpc.RpcError) as refused:
        models(opened)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE


def test_keys_and_pictures_are_never_logged(
    served: Server, authority: Authority, astronaut: bytes
) -> None:
    damaged = b"secret picture" + astronaut
    for key in (KEY, FILED, "wrong-key-of-a-caller"):
        with client(served, authority, key=key) as http, channel(served, authority) as opened:
            for path in ("/v1/poses", "/v1/render", f"/v1/nothing?key={key}"):
                http.post(path, content=astronaut, headers={"Authorization": f"Bearer {key}"})
                http.post(path, content=damaged, params={"api_key": key})
                http.post(path, files=[("image", damaged), ("image", astronaut)])
            stub = PoseServiceStub(opened)  # type: ignore[no-untyped-call] # generated
            for metadata in ([("x-api-key", key)], [("authorization", f"Bearer {key}")]):
                for picture in (astronaut, damaged):
                    call = stub.Estimate.with_call
                    with contextlib.suppress(grpc.RpcError):
                        call(pb.EstimateRequest(image=picture), metadata=metadata)
    until(lambda: "/v1/nothing" in served.log)
    assert "DEBUG" in served.log
    told = [KEY, FILED, "wrong-key", "secret picture", "BEGIN"]
    told += [repr(astronaut[:8])[2:-1], base64.b64encode(astronaut[:30]).decode()]
    for secret in told:
        assert secret not in served.log, secret
