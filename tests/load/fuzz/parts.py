"""Files taken apart into named parts and put together again, with lengths and checksums right."""

from __future__ import annotations

import re
import struct
from itertools import pairwise

from tests.service.pictures import png_chunk

Part = tuple[bytes, bytes]
"""A name, empty for bytes that have none, and a body."""

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_BARE = (b"\xff\xd8", b"\xff\xd9")


def split(kind: str, data: bytes) -> list[Part]:
    """As far as the file can be understood; the rest is one part without a name."""
    return {"JPEG": _split_jpeg, "PNG": _split_png, "WebP": _split_webp, "BMP": _split_bmp}[kind](
        data
    )


def join(kind: str, parts: list[Part]) -> bytes:
    """The file of `parts`."""
    joined = b"".join(_joined(kind, name, body) for name, body in parts)
    if kind == "WebP":
        return b"RIFF" + struct.pack("<I", (len(joined) + 4) & 0xFFFFFFFF) + b"WEBP" + joined
    return joined


def _joined(kind: str, name: bytes, body: bytes) -> bytes:
    if not name:
        return body
    if kind == "JPEG":
        length = b"" if name in _BARE else struct.pack(">H", (len(body) + 2) & 0xFFFF)
        return name + length + body
    if kind == "PNG":
        return png_chunk(name, body)
    if kind == "WebP":
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) & 1)
    return body


def _split_jpeg(data: bytes) -> list[Part]:
    parts: list[Part] = []
    at = 0
    while found := _MARKER.search(data, at):
        if found.start() > at:
            parts.append((b"", data[at : found.start()]))
        at = found.end()
        body = b""
        if found[0] not in _BARE and at + 2 <= len(data):
            end = at + max(2, struct.unpack_from(">H", data, at)[0])
            body, at = data[at + 2 : end], end
        parts.append((found[0], body))
    return [*parts, (b"", data[at:])]


def _split_png(data: bytes) -> list[Part]:
    parts: list[Part] = [(b"", data[:8])]
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        parts.append((name, data[at + 8 : at + 8 + length]))
        at += 12 + length
    return [*parts, (b"", data[at:])]


def _split_webp(data: bytes) -> list[Part]:
    parts: list[Part] = []
    at = 12
    while at + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, at)
        parts.append((name, data[at + 8 : at + 8 + length]))
        at += 8 + length + (length & 1)
    return [*parts, (b"", data[at:])]


def _split_bmp(data: bytes) -> list[Part]:
    header = 14 + int.from_bytes(data[14:18], "little")
    start = int.from_bytes(data[10:14], "little")
    cuts = [0, 14, *sorted(min(cut, len(data)) for cut in (header, start) if cut > 14), len(data)]
    return [(b"", data[a:b]) for a, b in pairwise(cuts)]
