"""What is wrong with certificates is said in one line when the service starts."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from service.access.tls import Tls
from service.settings import Settings
from tests.service.certificates import Authority, Pair
from tests.service.command import Posewire, assert_one_line


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def pair(authority: Authority) -> Pair:
    return authority.pair("server")


def test_without_settings_there_is_no_tls() -> None:
    assert Tls.of(Settings()) is None


def test_tls_is_of_1_2_at_least(pair: Pair) -> None:
    tls = Tls.of(Settings(tls_certificate=pair.certificate, tls_key=pair.key))
    assert tls
    context = tls.http()
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_with_an_authority_every_caller_needs_a_certificate(
    authority: Authority, pair: Pair
) -> None:
    tls = Tls.of(
        Settings(tls_certificate=pair.certificate, tls_key=pair.key, tls_client_ca=authority.ca)
    )
    assert tls
    assert tls.http().verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (["tls_certificate"], "POSEWIRE_TLS_KEY"),
        (["tls_key"], "POSEWIRE_TLS_CERTIFICATE"),
        (["tls_client_ca"], "POSEWIRE_TLS_CERTIFICATE"),
        (["tls_certificate", "tls_client_ca"], "POSEWIRE_TLS_KEY"),
    ],
)
def test_what_is_missing_is_named(
    given: list[str], missing: str, pair: Pair, authority: Authority, posewire: Posewire
) -> None:
    files = {"certificate": pair.certificate, "key": pair.key, "client_ca": authority.ca}
    chosen = {f"POSEWIRE_{name.upper()}": str(files[name.removeprefix("tls_")]) for name in given}
    assert_one_line(posewire("serve", **chosen), 2, missing)


def broken(pair: Pair, authority: Authority) -> dict[str, tuple[dict[str, Path], str]]:
    folder = authority.ca.parent
    other = Authority(folder / "other").pair("server")
    (text := folder / "text").write_text("no certificate")
    (empty := folder / "empty").touch()
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    (locked := folder / "locked").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    return {
        "another's key": ({"key": other.key}, "no certificate with its key"),
        "swapped": ({"key": pair.certificate, "certificate": pair.key}, "no certificate"),
        "text": ({"certificate": text}, "no certificate with its key"),
        "empty key": ({"key": empty}, "no certificate with its key"),
        "key with a password": ({"key": locked}, "without a password"),
        "absent": ({"key": folder / "absent"}, "absent"),
        "folder": ({"certificate": folder}, str(folder)),
        "text as authority": ({"client_ca": text}, "holds no certificates"),
        "empty authority": ({"client_ca": empty}, "holds no certificates"),
        "absent authority": ({"client_ca": folder / "absent"}, "absent"),
    }


@pytest.mark.parametrize(
    "case",
    ["another's key", "swapped", "text", "empty key", "key with a password", "absent", "folder",
     "text as authority", "empty authority", "absent authority"],
)  # fmt: skip
def test_what_is_wrong_with_a_certificate_is_one_line(
    case: str, pair: Pair, authority: Authority, posewire: Posewire
) -> None:
    changed, said = broken(pair, authority)[case]
    files = {"certificate": pair.certificate, "key": pair.key, **changed}
    chosen = {f"POSEWIRE_TLS_{name.upper()}": str(file) for name, file in files.items()}
    ports = {"POSEWIRE_HTTP_PORT": "0", "POSEWIRE_GRPC_PORT": "0"}
    assert_one_line(posewire("serve", **chosen, **ports), 2, said)
