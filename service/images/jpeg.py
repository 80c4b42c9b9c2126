"""JPEG: its frame, its scans and its orientation. Source: ITU-T T.81, annexes B, F and G."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from service.images import exif
from service.images.headers import Source, malformed, truncated

# Passes over stray bytes, stuffed zeros, fill bytes and restarts before a marker, as libjpeg does.
_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xCA})
_ARITHMETIC: Final = frozenset({0xC9, 0xCA})
# Tables, restart intervals, and the two marks that tell the colour space.
_KEPT: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDD, 0xE0, 0xEE})
_START, _END, _SCAN, _BARE, _EXIF = 0xD8, 0xD9, 0xDA, 0x01, 0xE1
# Far above real files (metadata comes in segments of up to 64 KiB), and low enough that walking
# a file made of tiny segments takes no time.
_SEGMENTS: Final = 2000
# A scan passes over every coefficient, even where a few bytes say that nothing changes. libjpeg
# writes 10 for colour; more of them count as more pixels.
_USUAL_SCANS: Final = 10
_ARITHMETIC_WEIGHT: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Frame:
    marker: int
    width: int
    height: int
    samplings: tuple[tuple[int, int], ...]  # of each component, across and down

    @property
    def share(self) -> float:
        """Samples a pixel, over all components: 3 where colour is not subsampled."""
        across = max(h for h, _ in self.samplings)
        down = max(v for _, v in self.samplings)
        return sum(h * v for h, v in self.samplings) / (across * down)

    @property
    def least(self) -> int:
        """Bytes that no file of this size does without.

        A block of Huffman codes takes a bit for its first coefficient, and unless more scans
        follow another for the others. Arithmetic codes have no such bound.
        """
        if self.marker in _ARITHMETIC:
            return 0
        across = max(h for h, _ in self.samplings)
        down = max(v for _, v in self.samplings)
        blocks = sum(
            ceil(self.width * h / across / 8) * ceil(self.height * v / down / 8)
            for h, v in self.samplings
        )
        return blocks * (1 if self.marker in _PROGRESSIVE else 2) // 8

    def in_one(self, components: int) -> bool:
        """Whether a scan of so many components is the whole picture."""
        return self.marker not in _PROGRESSIVE and components == len(self.samplings)

    def weight(self, scans: int, *, whole: bool) -> float:
        """Several scans need every coefficient, of two bytes, in memory beside the pixels.

        A scan of arithmetic codes takes its time though it may be a few bytes.
        """
        if self.marker in _ARITHMETIC:
            return _ARITHMETIC_WEIGHT + scans
        if whole:
            return 1.0
        return max(1.0, (3 + 2 * self.share) / 8, scans / _USUAL_SCANS)


@dataclass(slots=True)
class _Parts:
    """What of the file has been found up to some segment."""

    kept: list[bytes] = field(default_factory=lambda: [b"\xff\xd8"])
    frame: _Frame | None = None
    orientation: int = exif.UPRIGHT
    scans: int = 0
    whole: bool = False  # in one scan


def read(data: bytes) -> Source:
    """The picture of a JPEG. Raises BadImageError where it is cut short or breaks the rules."""
    parts = _Parts()
    at = 2
    for _ in range(_SEGMENTS):
        start, marker, body, at = _segment(data, at)
        if marker == _END:
            return _source(parts)
        if marker == _SCAN:
            if parts.frame is None:
                break
            parts.scans += 1
            parts.whole = parts.scans == 1 and parts.frame.in_one(data[body])
            at = _end_of_scan(data, at, whole=parts.frame.in_one(data[body]))
            parts.kept.append(data[start:at])
        elif marker in _FRAMES:
            if parts.frame is not None:
                break
            parts.frame = _frame(marker, data[body:at])
            parts.kept.append(data[start:at])
        elif marker in _KEPT:
            parts.kept.append(data[start:at])
        elif marker == _EXIF and parts.orientation == exif.UPRIGHT:
            if data.startswith(exif.MARK, body):
                parts.orientation = exif.orientation(data[body + 6 : at])
        elif marker == _START:
            break
    raise malformed("JPEG")


def _segment(data: bytes, at: int) -> tuple[int, int, int, int]:
    """Of the next segment: where it starts, its marker, where its content starts and ends."""
    found = _MARKER.search(data, at)
    if found is None:
        raise truncated("JPEG")
    marker, body = found[1][0], found.end()
    if marker in (_START, _END, _BARE):
        return found.start(), marker, body, body
    (length,) = struct.unpack_from(">H", data, body)
    if length < 2:
        raise malformed("JPEG")
    if body + length >= len(data):
        raise truncated("JPEG")
    return found.start(), marker, body + 2, body + length


def _frame(marker: int, body: bytes) -> _Frame:
    _, height, width, components = struct.unpack_from(">BHHB", body)
    samplings = tuple((value >> 4, value & 15) for value in body[7 : 6 + 3 * components : 3])
    if (
        not samplings
        or len(samplings) != components
        or not all(1 <= h <= 4 and 1 <= v <= 4 for h, v in samplings)
    ):
        raise malformed("JPEG")
    return _Frame(marker, width, height, samplings)


def _end_of_scan(data: bytes, at: int, *, whole: bool) -> int:
    """Where the codes of a scan end.

    Behind a scan that is the whole picture the decoder looks for its end alone, and goes on
    where damage looks like another marker. What follows the end is legal: more pictures (MPF),
    a video (motion photos).
    """
    if whole:
        end = data.find(b"\xff\xd9", at)
    else:
        found = _MARKER.search(data, at)
        end = found.start() if found else -1
    if end < 0:
        raise truncated("JPEG")
    return end


def _source(parts: _Parts) -> Source:
    frame = parts.frame
    if frame is None or not parts.scans:
        raise malformed("JPEG")
    file = b"".join((*parts.kept, b"\xff\xd9"))
    weight = frame.weight(parts.scans, whole=parts.whole)
    return Source(frame.width, frame.height, file, frame.least, parts.orientation, weight)
