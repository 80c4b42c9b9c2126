"""Requests that are made to harm end in bounded time and memory, with a clear refusal."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.service.serving import BLANK, Gate, model_of, service
from tests.service.sockets import Web, over_sockets, post, start

TIMEOUT_S = 1.0  # of a request
MAX_BYTES = 300_000
CLOSE = "Connection: close"


pytestmark = pytest.mark.asyncio(loop_scope="module")
shared_fixture = pytest_asyncio.fixture(scope="module", loop_scope="module")


@shared_fixture
async def served() -> AsyncIterator[Web]:
    gate = Gate()
    gate.opened.set()
    with service(
        model_of(gate), timeout=TIMEOUT_S, max_bytes=MAX_BYTES, max_request_bytes=600_000
    ) as running:
        async with over_sockets(running) as web:
            yield web


@pytest_asyncio.fixture(loop_scope="module")
async def web(served: Web) -> AsyncIterator[Web]:
    yield served
    answer = await served.send(post(BLANK))
    assert answer.status == 200, "the service does not go on"


async def test_a_request_is_answered(web: Web) -> None:
    answer = await web.send(post(BLANK))
    assert answer.json["people"] == []


@pytest.mark.parametrize("again", [b"x", b"X-A: b\r\n"])
async def test_a_slow_head_is_given_up(web: Web, again: bytes) -> None:
    answer = await web.trickle(b"POST /v1/poses HTTP/1.1\r\nHost: posewire\r\nX-A: ", again)
    answer.assert_refused(408, "timeout")
    assert answer.seconds < 3


async def test_a_head_that_stays_away_is_given_up(web: Web) -> None:
    answer = await web.send(b"POST /v1/poses HTTP/1.1\r\n")
    answer.assert_refused(408, "timeout")


@pytest.mark.parametrize("before", [b"", start(path="/healthz", method="GET")])
@pytest.mark.parametrize("again", [b"\r\n", b""])
async def test_a_connection_of_which_nothing_becomes_ends(
    web: Web, before: bytes, again: bytes
) -> None:
    answer = await web.trickle(before, again)
    assert answer.seconds < 3
    assert answer.raw.count(b"HTTP/1.1") == bool(before)


async def test_a_slow_body_is_given_up(web: Web) -> None:
    answer = await web.trickle(start("Content-Length: 100000"))
    answer.assert_refused(504, "deadline_exceeded")
    assert answer.seconds < TIMEOUT_S + 4


async def test_a_slow_body_after_a_refusal_is_not_waited_for(web: Web) -> None:
    answer = await web.trickle(start("Content-Length: 100000", path="/v1/nothing"))
    answer.assert_refused(404, "not_found")
    assert answer.seconds < 4


async def test_a_connection_is_kept_for_a_caller_whose_body_comes_after_the_refusal(
    web: Web,
) -> None:
    async with web.connected() as caller:
        caller.write(start("Content-Length: 10", path="/v1/nothing"))
        assert b"404" in await caller.head()
        caller.write(bytes(10), post(BLANK))
        assert b'"people":[]' in (await caller.rest()).raw


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        (start("X-A: " + "a" * 70_000), 431, "head_too_large"),
        (start(*["X-A: b"] * 101), 431, "head_too_large"),
        (start(path="/" + "a" * 20_000), 414, "url_too_long"),
        (start(path="/v1/poses?model=" + "a" * 20_000), 414, "url_too_long"),
    ],
)
async def test_a_huge_head_is_refused(web: Web, head: bytes, status: int, code: str) -> None:
    (await web.send(head)).assert_refused(status, code)


@pytest.mark.parametrize(
    ("beginning", "again"),
    [
        (b"POST /v1/poses HTTP/1.1\r\nX-A: ", b"a" * 50_000),
        (b"POST /v1/poses HTTP/1.1\r\n" + b"a" * 1000, b"a" * 50_000),
        (b"POST /v1/poses HTTP/1.1\r\n", b"X-A: b\r\n" * 5_000),
        (b"POST /", b"a" * 50_000),
        (b"", b"\r\n" * 25_000),
        (start("Transfer-Encoding: chunked") + b"1;", b"a" * 50_000),
        (start("Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\nX-A: ", b"a" * 50_000),
        (start("Transfer-Encoding: chunked") + b"1\r\nx\r\n0\r\n", b"X-A: b\r\n" * 5_000),
    ],
    ids=["value", "name", "headers", "address", "nothing", "extension", "trailer", "trailers"],
)
async def test_what_has_no_end_is_refused_after_a_little(
    web: Web, beginning: bytes, again: bytes
) -> None:
    answer, sent = await web.flood(beginning, again)
    answer.assert_refused(431, "head_too_large")
    assert sent < 12 * 2**20  # most of which lies in the sockets' buffers


@pytest.mark.parametrize("chunk", [b"10000\r\n" + bytes(0x10000) + b"\r\n"])
async def test_chunks_without_end_are_refused(web: Web, chunk: bytes) -> None:
    answer, _ = await web.flood(start("Transfer-Encoding: chunked"), chunk)
    answer.assert_refused(413, "too_large")


@pytest.mark.parametrize(
    "headers",
    [
        ["Content-Length: -1"],
        ["Content-Length: 1e3"],
        ["Content-Length: 0x10"],
        ["Content-Length: +5"],
        ["Content-Length: 5, 5"],
        ["Content-Length: 5", "Content-Length: 6"],
        ["Content-Length: " + "9" * 50],
        ["Content-Length: 5", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: chunked", "Content-Length: 5"],
        ["Transfer-Encoding: chunked, identity"],
        ["X-A : b"],
        ["X-A: b\0c"],
        ["X A"],
    ],
    ids=str,
)
async def test_a_head_of_which_two_things_could_be_made_is_refused(
    web: Web, headers: list[str]
) -> None:
    (await web.send(start(CLOSE, *headers), b"5\r\nhello\r\n0\r\n\r\n")).assert_refused(
        400, "bad_request"
    )


async def test_a_length_that_is_too_long_is_refused_before_the_body(web: Web) -> None:
    answer = await web.send(start(f"Content-Length: {MAX_BYTES + 1}", CLOSE))
    answer.assert_refused(413, "too_large")
    assert answer.seconds < TIMEOUT_S / 2


async def test_what_comes_after_the_length_is_another_request(web: Web) -> None:
    answer = await web.send(start(f"Content-Length: {len(BLANK)}") + BLANK + b"and more\r\n\r\n")
    assert answer.raw.count(b"HTTP/1.1 ") <= 2
    assert b"HTTP/1.1 400" in answer.raw or not answer.raw


async def test_who_leaves_before_the_length_is_no_fault(web: Web) -> None:
    async with web.connected() as caller:
        caller.write(start("Content-Length: 1000"), b"x")
        caller.writer.write_eof()
        assert (await caller.rest()).status in {0, 504}


@pytest.mark.parametrize("chunk", [b"zz\r\nhello\r\n", b"5\r\nhello!!", b"ffffffffffffffffff\r\n"])
async def test_malformed_chunks_are_refused(web: Web, chunk: bytes) -> None:
    answer = await web.send(start("Transfer-Encoding: chunked"), chunk)
    answer.assert_refused(400, "bad_request")


async def test_a_caller_who_asks_first_is_told_to_go_on(web: Web) -> None:
    async with web.connected() as caller:
        caller.write(start(f"Content-Length: {len(BLANK)}", "Expect: 100-continue", CLOSE))
        assert (await caller.head()).startswith(b"HTTP/1.1 100 ")
        caller.write(BLANK)
        assert (await caller.rest()).status == 200


async def test_a_caller_who_asks_first_is_refused_first(web: Web) -> None:
    length = f"Content-Length: {MAX_BYTES + 1}"
    answer = await web.send(start(length, "Expect: 100-continue", CLOSE))
    answer.assert_refused(413, "too_large")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "Identity, x"])
async def test_a_compressed_body_is_refused_and_not_unpacked(web: Web, coding: str) -> None:
    bomb = gzip.compress(bytes(10 * 2**20))
    answer = await web.send(post(bomb, f"Content-Encoding: {coding}"))
    answer.assert_refused(415, "unsupported_encoding")
    assert "accept-encoding: identity" in answer.head


async def test_a_body_that_is_said_to_be_plain_is_taken(web: Web) -> None:
    assert (await web.send(post(BLANK, "Content-Encoding: identity"))).status == 200


async def test_http_1_0_is_answered_and_the_connection_ended(web: Web) -> None:
    head = f"POST /v1/poses HTTP/1.0\r\nContent-Length: {len(BLANK)}\r\n\r\n"
    assert (await web.send(head.encode() + BLANK)).status == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"GET /healthz HTTP/9.9\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0" * 100,
        bytes(range(256)) * 400,
        b"\xff\xd8\xff\xe0" + bytes(100),
    ],
    ids=["tls", "http 2", "ssh", "9.9", "connect", "address", "0", "all", "jpeg"],
)
async def test_garbage_in_place_of_http_is_refused(web: Web, garbage: bytes) -> None:
    answer = await web.send(garbage)
    answer.assert_refused(400, "bad_request")
    assert answer.seconds < 0.5


@pytest.mark.parametrize("protocol", ["h2c", "websocket", "TLS/1.0"])
async def test_nobody_is_let_into_another_protocol(web: Web, protocol: str) -> None:
    headers = (f"Upgrade: {protocol}", "Connection: Upgrade", "Sec-WebSocket-Key: eA==")
    async with web.connected() as caller:
        caller.write(start(*headers, path="/healthz", method="GET"))
        assert (await caller.head()).startswith(b"HTTP/1.1 200 ")


def form(*parts: bytes, boundary: bytes = b"x") -> bytes:
    """A multipart body of parts with their own heads."""
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"


IMAGE = b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
NESTED = b"Content-Type: multipart/mixed; boundary=y\r\n" + IMAGE + form(IMAGE, boundary=b"y") * 50
FORMS: dict[str, tuple[str, bytes]] = {
    "thousands of parts": ("x", form(*[IMAGE + BLANK] * 2000)),
    "thousands of fields": (
        "x",
        form(*[b'Content-Disposition: form-data; name="a"\r\n\r\nb'] * 5000),
    ),
    "a part without end": ("x", b"--x\r\n" + IMAGE + BLANK),
    "a part with a huge head": ("x", form(b"X-A: " + b"a" * 100_000 + b"\r\n" + IMAGE)),
    "a part with many headers": ("x", form(b"X-A: b\r\n" * 5000 + IMAGE)),
    "a huge name": ("x", form(IMAGE.replace(b"image", b"i" * 50_000))),
    "no boundary": ("", form(IMAGE + BLANK)),
    "another boundary": ("y", form(IMAGE + BLANK)),
    "a huge boundary": ("b" * 10_000, form(IMAGE + BLANK)),
    "boundaries alone": ("x", b"--x\r\n" * 50_000),
    "hyphens alone": ("-" * 200, b"-" * 500_000),
    "no name": ("x", form(b"Content-Disposition: form-data\r\n\r\nb")),
}


# Starlette leaves the file of a part without end to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("boundary", "body"), FORMS.values(), ids=FORMS)
async def test_a_hostile_form_is_refused(web: Web, boundary: str, body: bytes) -> None:
    kind = f"Content-Type: multipart/form-data; boundary={boundary}"
    answer = await web.send(post(body, kind))
    answer.assert_refused(422, "bad_parameter")
    assert answer.seconds < TIMEOUT_S


async def test_a_form_in_a_form_is_no_image(web: Web) -> None:
    kind = "Content-Type: multipart/form-data; boundary=x"
    answer = await web.send(post(form(NESTED), kind))
    answer.assert_refused(400, "bad_image")


@pytest.mark.parametrize(
    "name", ["../../../tmp/evil", "/etc/passwd", "C:\\\\evil", "a" * 3000, "%00", "\x80", "a;b=c"]
)
async def test_a_files_name_means_nothing(
    web: Web, name: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    part = IMAGE.replace(b"a.png", name.encode("latin-1")) + BLANK
    answer = await web.send(post(form(part), "Content-Type: multipart/form-data; boundary=x"))
    assert answer.json["people"] == []
    assert list(tmp_path.iterdir()) == []
