"""WebP: its canvas, its picture and its orientation. Source: RFC 9649; RFC 6386 for VP8."""

from __future__ import annotations

import struct
from math import ceil
from typing import Final

from service.images import exif
from service.images.headers import Source, malformed, truncated

# In an extended file; of the frames of an animation the first is enough.
_KEPT: Final = frozenset({b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF"})
_CHUNKS: Final = 10_000  # far above real files, animations included
_ANIMATED, _ALPHA = 0x02, 0x10
# The canvas twice and the frame, of four bytes a pixel each, are made beside the picture.
_ANIMATION_WEIGHT: Final = 4.0
# Modes of a macroblock of 16 x 16 pixels in a key frame: no coding of them is shorter.
_MACROBLOCK_BITS: Final = 3
_LEAST_FILE: Final = 32  # what OpenCV wants to see, though a plain colour may take less


def read(data: bytes) -> Source:
    """The picture of a WebP, of an animation its first.

    Raises BadImageError where it is cut short or breaks the rules.
    """
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise truncated("WebP")
    name, body = _chunk(data, 12)
    if name == b"VP8X":
        return _extended(data[: size + 8], body)
    width, height, least = _size(name, body)
    return Source(width, height, _file((name, body)), least)


def _extended(data: bytes, header: bytes) -> Source:
    flags, width, width_high, height, height_high = struct.unpack_from("<B3xHBHB", header)
    flags &= _ANIMATED | _ALPHA
    least = 0
    chunks = [(b"VP8X", bytes((flags,)) + header[1:])]
    seen: set[bytes] = set()
    orientation = exif.UPRIGHT
    at = 20 + len(header)
    for _ in range(_CHUNKS):
        at += at & 1
        if at + 8 > len(data):
            break
        name, body = _chunk(data, at)
        at += 8 + len(body)
        if name in _KEPT and name not in seen:
            seen.add(name)
            chunks.append((name, body))
            if name in (b"VP8 ", b"VP8L"):
                _, _, least = _size(name, body)
        elif name == b"EXIF":
            orientation = exif.orientation(body.removeprefix(exif.MARK))
    else:
        raise malformed("WebP")
    return Source(
        (width | width_high << 16) + 1,
        (height | height_high << 16) + 1,
        _file(*chunks),
        least,
        orientation,
        _ANIMATION_WEIGHT if flags & _ANIMATED else 1.0,
    )


def _chunk(data: bytes, at: int) -> tuple[bytes, bytes]:
    name, size = struct.unpack_from("<4sI", data, at)
    if at + 8 + size > len(data):
        raise truncated("WebP")
    return name, data[at + 8 : at + 8 + size]


def _size(name: bytes, body: bytes) -> tuple[int, int, int]:
    """Width, height and least number of bytes of a VP8 or VP8L stream."""
    if name == b"VP8L":
        mark, bits = struct.unpack_from("<BI", body)
        if mark == 0x2F:
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 0
    elif name == b"VP8 ":
        mark, width, height = struct.unpack_from("<3x3sHH", body)
        if mark == b"\x9d\x01\x2a":
            width, height = width & 0x3FFF, height & 0x3FFF
            macroblocks = ceil(width / 16) * ceil(height / 16)
            return width, height, macroblocks * _MACROBLOCK_BITS // 8
    raise malformed("WebP")


def _file(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [b"WEBP"]
    for name, body in chunks:
        parts += [name, struct.pack("<I", len(body)), body, b"\0" * (len(body) & 1)]
    size = sum(map(len, parts))
    return b"".join((b"RIFF", struct.pack("<I", size), *parts)).ljust(_LEAST_FILE, b"\0")
