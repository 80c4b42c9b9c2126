"""Pictures to send: each with an identity that its answer must match, and some that are none."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from engines.geometry import Pixels
from tests.shared import ROOT

_HEIGHT, _LEAST_WIDTH, _PERSON = 360, 480, 288
_STEP = 11  # pixels between the places of one picture's person and the next one's
_BOMB_SIDE = 20_000


@dataclass(frozen=True, slots=True)
class Picture:
    """Encoded bytes, and the error that they deserve; none for people."""

    data: bytes
    error: str = ""


def people(count: int) -> list[Picture]:
    """JPEGs of about 20 KB with one person each: no two have the same width, and in no two
    neighbours is the person at the same place. Some share a network's input shape."""
    data = np.fromfile(ROOT / "tests" / "data" / "astronaut.jpg", np.uint8)
    photograph = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    resized = cv2.resize(photograph, (_PERSON, _PERSON), interpolation=cv2.INTER_AREA)
    person = np.asarray(resized, np.uint8)
    return [_picture(person, number) for number in range(count)]


def bad() -> list[Picture]:
    """Cut short, no image, bombs, and of a type that is not accepted."""
    whole = people(1)[0].data
    grey = np.full((48, 64, 3), 127, np.uint8)
    gif = b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0, 0, 0) + bytes(64)
    png = cv2.imencode(".png", grey)[1].tobytes()
    return [
        Picture(whole[: len(whole) // 2], "bad_image"),
        Picture(png[:-20], "bad_image"),
        Picture(b"", "bad_image"),
        Picture(b"no image " * 400, "bad_image"),
        Picture(_bomb(), "too_large"),
        Picture(gif, "unsupported_image"),
    ]


def _picture(person: Pixels, number: int) -> Picture:
    width = _LEAST_WIDTH + number
    canvas = np.full((_HEIGHT, width, 3), 127, np.uint8)
    left, top = number * _STEP % (width - _PERSON), number * 5 % (_HEIGHT - _PERSON)
    canvas[top : top + _PERSON, left : left + _PERSON] = person
    return Picture(cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())


def _bomb() -> bytes:
    """A PNG of 50 KB that unfolds to 400 megapixels, a bit each."""
    row = bytes(1 + _BOMB_SIDE // 8)
    header = struct.pack(">IIBBBBB", _BOMB_SIDE, _BOMB_SIDE, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * _BOMB_SIDE)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunks(chunks))


def _chunks(chunks: tuple[tuple[bytes, bytes], ...]) -> Iterator[bytes]:
    for kind, data in chunks:
        yield (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )
