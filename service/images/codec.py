"""Bytes to pixels, safely: nothing is decoded before type and size are known and allowed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from service.errors import BadImageError, ImageTooLargeError, UnsupportedImageError
from service.images import bmp, exif, jpeg, png, webp
from service.images.headers import Source, truncated
from service.images.types import ACCEPTED, sniff

MAX_SIDE: Final = 65535  # what JPEG can express; no camera makes more
_READERS: Final[dict[str, Callable[[bytes], Source]]] = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "WebP": webp.read,
    "BMP": bmp.read,
}
_CHOICE: Final = f"a {', '.join(ACCEPTED[:-1])} or {ACCEPTED[-1]}"


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What one picture may cost: bytes as sent, and pixels (width times height) as stored.

    A pixel of most pictures takes up to 8 bytes of memory while it is decoded; where it takes
    more, or much more time, it counts as several.
    """

    max_bytes: int = 16 * 2**20
    max_pixels: int = 25_000_000


def decode(data: bytes, limits: ImageLimits) -> npt.NDArray[np.uint8]:
    """The picture in `data` as displayed: (H, W, 3) uint8, BGR, contiguous.

    The EXIF orientation of JPEG, PNG and WebP is applied. Grey, palette, CMYK and 16-bit pictures
    become 8-bit colour; alpha is dropped, not composited; of an animation the first frame is
    taken, of an animated PNG its still image. Colour profiles are ignored. Nothing but the
    picture is looked at: what else the file carries, or what follows its end, is left out.
    Safe to call from several threads at once.

    A file that was cut short is refused, whatever the type. Damage inside a file is noticed only
    by PNG, which has checksums.

    Raises ImageTooLargeError above a limit, UnsupportedImageError for a type that is known but not
    accepted, BadImageError for everything else that is not a picture.
    """
    if len(data) > limits.max_bytes:
        raise ImageTooLargeError(
            f"The image has {len(data)} bytes and at most {limits.max_bytes} are accepted:"
            " send a smaller or more strongly compressed one."
        )
    kind = _accepted_kind(data)
    try:
        source = _READERS[kind](data)
    except struct.error as error:
        raise truncated(kind) from error
    _check_size(kind, source, limits)
    return exif.turned(_stored(kind, source), source.orientation)


def encode(image: npt.NDArray[np.uint8]) -> bytes:
    """(H, W, 3) uint8 BGR as a JPEG file."""
    return cv2.imencode(".jpg", image)[1].tobytes()


def _accepted_kind(data: bytes) -> str:
    if not data:
        raise BadImageError(f"The image is empty: send the bytes of {_CHOICE} file.")
    kind = sniff(data)
    if kind is None:
        raise BadImageError(
            f"The data is not an image known here: send the bytes of {_CHOICE} file."
        )
    if kind not in ACCEPTED:
        raise UnsupportedImageError(f"{kind} is not accepted: send the bytes of {_CHOICE} file.")
    return kind


def _stored(kind: str, source: Source) -> npt.NDArray[np.uint8]:
    """The pixels as the file has them, (height, width, 3)."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels = cv2.imdecode(np.frombuffer(source.data, np.uint8), flags)
    except cv2.error as error:
        raise _undecodable(kind) from error
    if pixels is None or pixels.shape != (source.height, source.width, 3):
        raise _undecodable(kind)
    return np.ascontiguousarray(pixels, np.uint8)


def _check_size(kind: str, source: Source, limits: ImageLimits) -> None:
    width, height, weight = source.width, source.height, source.weight
    if width <= 0 or height <= 0:
        raise BadImageError(
            f"The header of the {kind} says {width} x {height} pixels: send a picture with at"
            " least one pixel a side."
        )
    if max(width, height) > MAX_SIDE or width * height * weight > limits.max_pixels:
        counted = f", which count {weight:.3g} times for its variety," if weight > 1 else ""
        raise ImageTooLargeError(
            f"The {kind} has {width} x {height} pixels{counted} and at most {limits.max_pixels}"
            f" in all, {MAX_SIDE} a side, are accepted: scale it down."
        )
    if len(source.data) < source.least:
        raise truncated(kind)


def _undecodable(kind: str) -> BadImageError:
    return BadImageError(
        f"The {kind} cannot be decoded, it is cut short, damaged or of a rare variety: send the"
        f" whole file, or save the picture again as a plain {kind}."
    )
