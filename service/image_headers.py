"""Width and height from an image's header, before a pixel is decoded.

Each reader looks where OpenCV's decoder of that type looks, so that the size found here is the
size that will be allocated. They are not Pillow's because opening a file there already does work
that a request chooses: it decompresses text chunks (0.4 s for a PNG of 1 MB), allocates WebP
canvases, and tells of damaged EXIF and APNG headers and of large pictures by Python warnings,
whose filters belong to the process and not to the thread.

Sources: ITU-T T.81 annex B, the PNG specification (IHDR), RFC 9649 (WebP), and the Windows
BITMAPCOREHEADER and BITMAPINFOHEADER.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Final

from service.errors import BadImageError

# Passes over stray bytes, stuffed zeros and fill bytes before a marker, as libjpeg does.
_JPEG_MARKER: Final = re.compile(rb"\xff([^\x00\xff])")
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_JPEG_MISPLACED: Final = frozenset({0xD8, 0xD9, 0xDA})  # before any frame header
_JPEG_END: Final = b"\xff\xd9"
# Far above real files (metadata comes in segments of up to 64 KiB), and low enough that walking
# a file made of tiny segments takes no time.
_JPEG_SEGMENTS: Final = 2000


def read_size(kind: str, data: bytes) -> tuple[int, int]:
    """Width and height in pixels as stored, EXIF not applied; `kind` is an accepted type.

    Raises BadImageError where the header is cut short or is not one of `kind`.
    """
    try:
        return _READERS[kind](data)
    except struct.error as error:
        raise _truncated(kind) from error


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    for _ in range(_JPEG_SEGMENTS):
        found = _JPEG_MARKER.search(data, at)
        if found is None:
            raise _truncated("JPEG")
        marker, at = found[1][0], found.end()
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 3)
            # The decoder is content with zeros where the rest of an upload is missing. What
            # follows the end marker is legal: more pictures (MPF), a video (motion photos).
            if data.rfind(_JPEG_END, at) < 0:
                raise _truncated("JPEG")
            return width, height
        if marker in _JPEG_MISPLACED:
            break
        if marker not in _JPEG_BARE:
            at += struct.unpack_from(">H", data, at)[0]
    raise _malformed("JPEG")


def _png(data: bytes) -> tuple[int, int]:
    name, width, height = struct.unpack_from(">4sII", data, 12)
    if name != b"IHDR":
        raise _malformed("PNG")
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    (chunk,) = struct.unpack_from("<4s", data, 12)
    if chunk == b"VP8X":
        width, width_high, height, height_high = struct.unpack_from("<HBHB", data, 24)
        return (width | width_high << 16) + 1, (height | height_high << 16) + 1
    if chunk == b"VP8L":
        mark, bits = struct.unpack_from("<BI", data, 20)
        if mark == 0x2F:
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        mark, width, height = struct.unpack_from("<3sHH", data, 23)
        if mark == b"\x9d\x01\x2a":
            return width & 0x3FFF, height & 0x3FFF
    raise _malformed("WebP")


def _bmp(data: bytes) -> tuple[int, int]:
    (header,) = struct.unpack_from("<I", data, 14)
    if header == 12:
        width, height = struct.unpack_from("<HH", data, 18)
    elif header >= 36:
        width, height = struct.unpack_from("<ii", data, 18)
    else:
        raise _malformed("BMP")
    return width, abs(height)  # a negative height means rows from the top


_READERS: Final[dict[str, Callable[[bytes], tuple[int, int]]]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WebP": _webp,
    "BMP": _bmp,
}


def _truncated(kind: str) -> BadImageError:
    return BadImageError(f"The {kind} ends before its picture does: send the whole file.")


def _malformed(kind: str) -> BadImageError:
    return BadImageError(
        f"The file begins like a {kind} but its header is damaged: save the picture again as a"
        f" plain {kind}."
    )
