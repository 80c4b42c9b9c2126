"""Damage that knows the file types: most of it keeps lengths and checksums right, to get deep."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from tests.load.fuzz.parts import Part, join, split

SIDES: Final = (0, 1, 2, 7, 255, 256, 4095, 16383, 16384, 32767, 65535, 65536, 2**31 - 1)
LARGE: Final = ((6123, 4082), (4082, 6123), (381, 65535), (65535, 381), (7744, 5163))
"""Sides that make about as many pixels as are accepted."""
NUMBERS: Final = (
    *(0, 1, 2, 3, 7, 15, 16, 31, 64, 127, 128, 255, 256, 1000, 32767, 32768, 65535, 65536),
    *(2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1),
)
LARGEST: Final = 1 << 18
"""Bytes of the longest mutant."""


def mutate(kind: str, files: Sequence[bytes], rng: Random) -> bytes:
    """One of `files`, which are of type `kind`, damaged in one to three ways."""
    data = rng.choice(files)
    for _ in range(rng.choice((1, 1, 2, 3))):
        way = rng.random()
        if way < 0.25:
            data = bytes(_bytes(bytearray(data), rng))
        elif way < 0.3:
            data = data[: rng.randrange(len(data) + 1)]
        elif way < 0.42:
            data = resized(kind, data, rng)
        else:
            other = rng.choice(files)
            parts = _parts(kind, split(kind, data), split(kind, other), rng)
            data = join(kind, parts)
    return data[:LARGEST]


def _bytes(data: bytearray, rng: Random) -> bytearray:
    """`data` with a number, a bit, a byte, a cut or a repetition somewhere."""
    at = rng.randrange(min(len(data), rng.choice((64, len(data) or 1))) or 1)
    match rng.randrange(5):
        case 0:
            form = rng.choice(("<B", "<H", ">H", "<I", ">I"))
            size = struct.calcsize(form)
            number = rng.choice(NUMBERS) & (1 << 8 * size) - 1
            data[at : at + size] = struct.pack(form, number)
        case 1 if data:
            data[at] ^= 1 << rng.randrange(8)
        case 2:
            data[at : at + 4] = rng.randbytes(rng.randrange(1, 5))
        case 3:
            del data[at : at + rng.choice((1, 2, 16, 256))]
        case _:
            piece = data[at : at + rng.choice((1, 4, 64, 1024))]
            data[at:at] = piece * rng.choice((1, 2, 8, 64))
    return data


def _parts(kind: str, parts: list[Part], others: list[Part], rng: Random) -> list[Part]:
    """`parts` in which one is damaged, dropped, repeated, moved or replaced by one of `others`."""
    at = rng.randrange(len(parts))
    name, body = parts[at]
    match rng.randrange(8):
        case 0:
            del parts[at]
        case 1:
            several = parts[at : at + rng.choice((1, 1, 2))]
            parts[at:at] = several * rng.choice((1, 2, 10, 100))
        case 2:
            parts.insert(rng.randrange(len(parts)), parts.pop(at))
        case 3:
            parts.insert(at, rng.choice(others))
        case 4:
            parts = parts[:at] + others[rng.randrange(len(others)) :]
        case 5 if kind == "PNG" and name in (b"IDAT", b"fdAT"):
            parts[at] = name, _inflated(body, rng)
        case _:
            parts[at] = name, bytes(_bytes(bytearray(body), rng))
    return parts or others


def _inflated(body: bytes, rng: Random) -> bytes:
    """Compressed pixels damaged before their compression."""
    try:
        rows = bytearray(zlib.decompress(body))
    except zlib.error:
        return body
    return zlib.compress(bytes(_bytes(rows, rng))[: 1 << 20], rng.choice((0, 1, 9)))


def resized(kind: str, data: bytes, rng: Random) -> bytes:
    """`data` whose header tells other sides."""
    width, height = rng.choice(LARGE)
    if rng.random() < 0.9:
        width, height = (
            rng.choice(SIDES) if rng.random() < 0.15 else int(2 ** rng.uniform(0, 11))
            for _ in range(2)
        )
    parts = split(kind, data)
    for at, (name, body) in enumerate(parts):
        write = _SIZES.get((kind, name if kind != "BMP" else b""))
        if write is not None and (kind != "BMP" or at == 1):
            parts[at] = name, write(body, width, height)
    return join(kind, parts)


def _jpeg(body: bytes, width: int, height: int) -> bytes:
    return body[:1] + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + body[5:]


def _png(body: bytes, width: int, height: int) -> bytes:
    return struct.pack(">II", width, height) + body[8:]


def _vp8x(body: bytes, width: int, height: int) -> bytes:
    sides = [(max(1, side) - 1 & 0xFFFFFF).to_bytes(3, "little") for side in (width, height)]
    return body[:4] + b"".join(sides) + body[10:]


def _vp8l(body: bytes, width: int, height: int) -> bytes:
    bits = int.from_bytes(body[1:5], "little") & 0xF0000000
    bits |= max(0, width - 1) & 0x3FFF | (max(0, height - 1) & 0x3FFF) << 14
    return body[:1] + bits.to_bytes(4, "little") + body[5:]


def _vp8(body: bytes, width: int, height: int) -> bytes:
    return body[:6] + struct.pack("<HH", width & 0x3FFF, height & 0x3FFF) + body[10:]


def _bmp(body: bytes, width: int, height: int) -> bytes:
    if body[:1] == b"\x0c":
        return body[:4] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + body[8:]
    return body[:4] + struct.pack("<ii", width & 2**31 - 1, height & 2**31 - 1) + body[12:]


_SIZES: dict[tuple[str, bytes], Callable[[bytes, int, int], bytes]] = {
    **{("JPEG", bytes((0xFF, marker))): _jpeg for marker in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)},
    ("PNG", b"IHDR"): _png,
    ("WebP", b"VP8X"): _vp8x,
    ("WebP", b"VP8L"): _vp8l,
    ("WebP", b"VP8 "): _vp8,
    ("BMP", b""): _bmp,
}
