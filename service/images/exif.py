"""The orientation in EXIF data, and pictures turned by it.

Only this one tag is read, in time that does not depend on the data. Source: EXIF 2.3, 4.6.2
(image file directories) and 4.6.4 (Orientation).
"""

from __future__ import annotations

import struct
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

UPRIGHT: Final = 1
MARK: Final = b"Exif\0\0"
"""What precedes EXIF data in a JPEG."""
_ORDERS: Final = {b"II*\0": "<", b"MM\0*": ">"}
_TAG: Final = 0x112
_ENTRIES: Final = 256  # TIFF 6.0 and EXIF 2.3 know fewer tags than that


def orientation(exif: bytes) -> int:
    """1 to 8; 1 where the data, which begins with the TIFF header, is damaged or says nothing."""
    order = _ORDERS.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(min(entries, _ENTRIES)):
            tag, _, _, value = struct.unpack_from(order + "HHIH", exif, start + 2 + 12 * entry)
            if tag == _TAG:
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:
        pass
    return UPRIGHT


def turned(pixels: npt.NDArray[np.uint8], orientation: int) -> npt.NDArray[np.uint8]:
    """Stored pixels (h, w, 3) as displayed: (h, w, 3), or (w, h, 3) for an orientation above 4."""
    match orientation:
        case 2:
            upright = cv2.flip(pixels, 1)
        case 3:
            upright = cv2.rotate(pixels, cv2.ROTATE_180)
        case 4:
            upright = cv2.flip(pixels, 0)
        case 5:
            upright = cv2.transpose(pixels)
        case 6:
            upright = cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE)
        case 7:
            upright = cv2.flip(cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE), 0)
        case 8:
            upright = cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE)
        case _:
            return pixels
    return np.asarray(upright, np.uint8)
