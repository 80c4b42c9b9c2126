"""BMP: its header. Source: the Windows BITMAPCOREHEADER and BITMAPINFOHEADER."""

from __future__ import annotations

import struct
from typing import Final

from service.images.headers import Source, malformed

_RUN_LENGTHS: Final = frozenset({1, 2})  # RLE8, RLE4: rows may take any number of bytes


def read(data: bytes) -> Source:
    """The picture of a BMP. Raises BadImageError where it is cut short or breaks the rules."""
    (header,) = struct.unpack_from("<I", data, 14)
    coding = 0
    if header == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    elif header >= 36:
        width, height, _, bits, coding = struct.unpack_from("<iiHHI", data, 18)
    else:
        raise malformed("BMP")
    height = abs(height)  # negative: rows from the top
    row = (width * bits + 31) // 32 * 4
    return Source(width, height, data, least=0 if coding in _RUN_LENGTHS else row * height)
