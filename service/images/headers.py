"""What a file says of its picture before a pixel is decoded, and the bytes that make the picture.

Everything else in a file is left out: the decoder never sees text, colour profiles, thumbnails,
further frames or what follows the end. There a request would choose how much work is done: in
OpenCV 5.0 the EXIF block of a PNG of 1 MB takes 3 s, and so does its compressed text. Pillow is
not used for the same reason: to open a file there already decompresses texts, allocates canvases
and tells of damage by Python warnings, whose filters belong to the process.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.errors import BadImageError


@dataclass(frozen=True, slots=True)
class Source:
    """A picture as its file has it.

    Attributes:
        width: in pixels as stored, EXIF not applied.
        height: likewise.
        data: a file of the same type with the picture alone.
        least: no file of this size is shorter, in bytes; 0 where none can be named.
        orientation: EXIF's, 1 to 8; 1 is upright.
        weight: what a pixel costs to decode in time and memory, 1 or more; 1 stands for up to
            8 bytes of memory a pixel, the picture itself included.
    """

    width: int
    height: int
    data: bytes
    least: int = 0
    orientation: int = 1
    weight: float = 1.0


def truncated(kind: str) -> BadImageError:
    """For a file without its end, or too short for the pixels it promises."""
    return BadImageError(f"The {kind} ends before its picture does: send the whole file.")


def malformed(kind: str) -> BadImageError:
    """For a file that breaks its type's rules."""
    return BadImageError(
        f"The file begins like a {kind} but its header is damaged: save the picture again as a"
        f" plain {kind}."
    )
