"""File types by their first bytes."""

from __future__ import annotations

import re

import pytest

from service.errors import BadImageError, UnsupportedImageError
from service.images.codec import ImageLimits, decode
from service.images.types import ACCEPTED, sniff
from tests.service.pictures import encode, picture, pillow, save

LIMITS = ImageLimits()
REFUSED = [
    ("GIF", save(pillow(picture()), "GIF")),
    ("TIFF", save(pillow(picture()), "TIFF")),
    ("TIFF", b"MM\0*\0\0\0\x08"),
    ("TIFF", save(pillow(picture()), "TIFF", big_tiff=True)),
    ("TIFF", b"MM\0+\0\x08\0\0"),
    ("AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"),
    ("AVIF", b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf"),
    ("HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    ("HEIC", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"),
    ("JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("JPEG 2000", b"\xff\x4f\xff\x51\0\x29"),
    ("JPEG XL", b"\0\0\0\x0cJXL \r\n\x87\n"),
    ("JPEG XL", b"\xff\x0a\xfa\x7f"),
    ("MP4 or QuickTime video", b"\0\0\0\x18ftypisom\0\0\2\0isommp41"),
    ("Matroska or WebM video", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81"),
    ("AVI video", b"RIFF\0\0\0\0AVI LIST"),
    ("ICO", save(pillow(picture()), "ICO")),
    ("PSD", b"8BPS\0\1\0\0\0\0\0\0\0\3"),
    ("OpenEXR", b"\x76\x2f\x31\x01\2\0\0\0"),
    ("PDF", save(pillow(picture()), "PDF")),
    ("ZIP", b"PK\x03\x04\x14\0\0\0"),
    ("gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
    ("SVG", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    ("SVG", b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn -->\n<svg width="1"/>'),
    ("HTML", b"<!DOCTYPE html><html><body>404</body></html>"),
    ("base64 text", b"data:image/jpeg;base64,/9j/4AAQSkZJRg=="),
    ("base64 text", b"iVBORw0KGgoAAAANSUhEUg=="),
]


@pytest.mark.parametrize("kind", ACCEPTED)
def test_an_accepted_type_is_recognised(kind: str) -> None:
    assert sniff(encode(picture(), kind)) == kind


@pytest.mark.parametrize(("kind", "data"), REFUSED)
def test_another_type_is_refused_by_its_name(kind: str, data: bytes) -> None:
    with pytest.raises(UnsupportedImageError) as refusal:
        decode(data, LIMITS)
    assert refusal.value.message == (
        f"{kind} is not accepted: send the bytes of a JPEG, PNG, WebP or BMP file."
    )


@pytest.mark.parametrize("data", [b"hello", b"\xff\xd8", b"RIFF\0\0\0\0WEB", b'{"image": 1}', b"B"])
def test_data_of_no_known_type_is_not_an_image(data: bytes) -> None:
    assert sniff(data) is None
    with pytest.raises(BadImageError, match=re.escape("not an image known here")):
        decode(data, LIMITS)
