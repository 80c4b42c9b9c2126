"""File types by their first bytes: the ones accepted, and the ones worth naming in a refusal."""

from __future__ import annotations

import re
from typing import Final

ACCEPTED: Final = ("JPEG", "PNG", "WebP", "BMP")

# In order: the first that matches the beginning of the file wins. AVIF stands before HEIC
# because its files may list HEIF's brands too; BMP's two letters are the weakest mark of the
# binary types, so they come after the others.
_PATTERNS: Final = (
    ("JPEG", rb"\xff\xd8\xff"),
    ("PNG", rb"\x89PNG\r\n\x1a\n"),
    ("WebP", rb"RIFF....WEBP"),
    ("GIF", rb"GIF8[79]a"),
    ("TIFF", rb"II[*+]\0|MM\0[*+]"),
    ("AVIF", rb"....ftyp(?:....){0,16}?avi[fs]"),
    ("HEIC", rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif[12]|msf1)"),
    ("JPEG 2000", rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51"),
    ("JPEG XL", rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a"),
    ("MP4 or QuickTime video", rb"....(?:ftyp|moov|mdat)"),
    ("Matroska or WebM video", rb"\x1a\x45\xdf\xa3"),
    ("AVI video", rb"RIFF....AVI "),
    ("ICO", rb"\0\0[\x01\x02]\0[^\0]\0"),
    ("PSD", rb"8BPS\0[\x01\x02]"),
    ("OpenEXR", rb"\x76\x2f\x31\x01"),
    ("PDF", rb"%PDF-"),
    ("ZIP", rb"PK(?:\x03\x04|\x05\x06)"),
    ("gzip", rb"\x1f\x8b\x08"),
    ("BMP", rb"BM"),
    ("SVG", rb"(?:\xef\xbb\xbf)?\s{0,64}<(?:svg\b|[?!].{0,1000}?<svg\b)"),
    ("HTML", rb"(?i:(?:\xef\xbb\xbf)?\s{0,64}<(?:!doctype )?html)"),
    ("base64 text", rb"data:image/|/9j/|iVBORw0KGgo|UklGR"),
)
_TYPES: Final = tuple((kind, re.compile(pattern, re.DOTALL)) for kind, pattern in _PATTERNS)


def sniff(data: bytes) -> str | None:
    """The name of the type of `data`, one of `ACCEPTED` or another known one; None if unknown."""
    return next((kind for kind, pattern in _TYPES if pattern.match(data)), None)
