"""Small pictures and their files, made when a test asks for them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

# Options that keep the colours: exactly, but for JPEG's rounding.
FAITHFUL: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WebP": {"lossless": True},
    "BMP": {},
}


def picture(height: int = 24, width: int = 40) -> Pixels:
    """A smooth colourful picture without symmetry, (height, width, 3) BGR."""
    colours = np.random.default_rng(7).integers(0, 256, (4, 6, 3), np.uint8)
    smooth = cv2.resize(colours, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(smooth, np.uint8)


def pillow(pixels: Pixels, mode: str = "RGB") -> Image.Image:
    """`pixels` as a Pillow image of `mode`."""
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1])).convert(mode)


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The file Pillow writes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def encode(pixels: Pixels, kind: str, **options: Any) -> bytes:
    """`pixels` as a file of `kind` with the same colours."""
    return save(pillow(pixels), kind, **(FAITHFUL[kind] | options))


def by_pillow(data: bytes) -> Pixels:
    """What Pillow reads from `data`, BGR, orientation not applied."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))[:, :, ::-1]


def png_chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG with its length and checksum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises `width` x `height` 8-bit colours and whose data is one row."""
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(bytes(1 + 3 * min(width, 1000))))
        + png_chunk(b"IEND", b"")
    )


def bmp_of_size(width: int, height: int, body: bytes = b"") -> bytes:
    """A 24-bit BMP; a negative height stores its rows from the top."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(body), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + header + body


def exif(orientation: int, order: str = "<") -> bytes:
    """EXIF data of one tag, in little (`<`) or big (`>`) endian order."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return (
        b"Exif\0\0" + mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    )


def app1(jpeg: bytes, *bodies: bytes) -> bytes:
    """`jpeg` with APP1 segments (EXIF, XMP) put in front."""
    segments = (b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body for body in bodies)
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


# EXIF 2.3, Orientation: are the sides swapped, and the direction of the stored rows and columns.
_STORED: dict[int, tuple[bool, int, int]] = {
    1: (False, 1, 1),
    2: (False, 1, -1),
    3: (False, -1, -1),
    4: (False, -1, 1),
    5: (True, 1, 1),
    6: (True, -1, 1),
    7: (True, -1, -1),
    8: (True, 1, -1),
}


def stored(upright: Pixels, orientation: int) -> Pixels:
    """How a camera stores what is displayed as `upright` under an EXIF `orientation` of 1 to 8."""
    swapped, rows, columns = _STORED[orientation]
    turned = upright.transpose(1, 0, 2) if swapped else upright
    return np.ascontiguousarray(turned[::rows, ::columns])
