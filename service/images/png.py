"""PNG: its header, its pixels and its orientation. Source: the PNG specification, third edition."""

from __future__ import annotations

import struct
from typing import Final

from service.images import exif
from service.images.headers import Source, malformed, truncated

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})
# Far above real files, whose pixels come in chunks of 4 KiB or more.
_CHUNKS: Final = 50_000
_RATIO: Final = 1032  # deflate's best: 258 bytes for two bits


def read(data: bytes) -> Source:
    """The picture of a PNG, of an animated one its still image.

    Raises BadImageError where it is cut short or breaks the rules.
    """
    length, name, width, height, depth, colour = struct.unpack_from(">I4sIIBB", data, 8)
    if name != b"IHDR" or length != 13 or colour not in _CHANNELS or depth > 16:
        raise malformed("PNG")
    kept = [_SIGNATURE]
    orientation, at = exif.UPRIGHT, 8
    for _ in range(_CHUNKS):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            raise truncated("PNG")
        if name in _KEPT:
            kept.append(data[at:end])
        if name == b"eXIf":
            orientation = exif.orientation(data[at + 8 : end - 4])
        elif name == b"IEND":
            break
        at = end
    else:
        raise malformed("PNG")
    bits = depth * _CHANNELS[colour]
    least = (width * bits + 7) // 8 * height // _RATIO
    return Source(width, height, b"".join(kept), least, orientation, max(1.0, bits / 32))
