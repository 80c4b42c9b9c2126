"""Files that are two things at once: a picture is read as that picture, all else is refused."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest

from service.errors import BadImageError, ServiceError, UnsupportedImageError
from service.images.codec import ImageLimits, decode
from tests.service import pictures
from tests.service.pictures import FAITHFUL, encode, pillow, png_chunk, save

UPRIGHT = pictures.picture(13, 21)
LIMITS = ImageLimits()
SCRIPT = b"=1;alert(1)//"
HTML = b"<html><script>alert(1)</script></html>"
EXECUTABLE = b"MZ\x90\0" + bytes(56) + b"\x40\0\0\0PE\0\0\x64\x86"


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("evil.sh", "echo 1")
    return file.getvalue()


@pytest.mark.parametrize("kind", FAITHFUL)
@pytest.mark.parametrize("other", [archive(), EXECUTABLE, HTML, b"%PDF-1.7\n", b"PK\x03\x04"])
def test_a_picture_with_another_file_behind_it_is_that_picture(kind: str, other: bytes) -> None:
    data = encode(UPRIGHT, kind)
    assert np.array_equal(decode(data + other, LIMITS), decode(data, LIMITS))


@pytest.mark.parametrize("kind", FAITHFUL)
def test_a_picture_behind_another_picture_is_not_looked_at(kind: str) -> None:
    data = encode(UPRIGHT, kind)
    for other in FAITHFUL:
        both = data + encode(255 - UPRIGHT, other)
        assert np.array_equal(decode(both, LIMITS), decode(data, LIMITS))


@pytest.mark.parametrize(
    ("name", "head"),
    [("ZIP", archive()), ("PDF", b"%PDF-1.7\n"), ("HTML", HTML), ("gzip", b"\x1f\x8b\x08\0")],
)
@pytest.mark.parametrize("kind", FAITHFUL)
def test_a_picture_behind_another_file_is_refused_as_that_file(
    name: str, head: bytes, kind: str
) -> None:
    with pytest.raises(UnsupportedImageError, match=f"{name} is not accepted"):
        decode(head + encode(UPRIGHT, kind), LIMITS)


def test_a_gif_that_is_a_script_is_refused_as_a_gif() -> None:
    with pytest.raises(UnsupportedImageError, match="GIF is not accepted"):
        decode(b"GIF89a" + SCRIPT, LIMITS)
    with pytest.raises(UnsupportedImageError, match="GIF is not accepted"):
        decode(save(pillow(UPRIGHT), "GIF") + SCRIPT, LIMITS)


def test_a_jpeg_with_an_archive_or_a_page_in_its_comment_is_that_jpeg() -> None:
    jpeg = encode(UPRIGHT, "JPEG")
    for other in (archive(), HTML, b"%PDF-1.7\n", encode(255 - UPRIGHT, "JPEG")):
        comment = b"\xff\xfe" + struct.pack(">H", len(other) + 2) + other
        data = jpeg[:2] + comment + jpeg[2:]
        assert np.array_equal(decode(data, LIMITS), decode(jpeg, LIMITS))


def test_a_png_with_a_page_in_its_text_is_that_png() -> None:
    png = encode(UPRIGHT, "PNG")
    data = png[:33] + png_chunk(b"tEXt", b"Comment\0" + HTML) + png[33:]
    assert np.array_equal(decode(data, LIMITS), UPRIGHT)


def test_a_bmp_that_is_also_a_page_is_that_bmp() -> None:
    bmp = encode(UPRIGHT, "BMP")
    start = struct.pack("<I", 54 + len(HTML))
    data = bmp[:6] + b"<!--" + start + bmp[14:54] + HTML + bmp[54:]
    assert np.array_equal(decode(data, LIMITS), UPRIGHT)


def test_letters_of_a_bmp_before_a_page_are_no_picture() -> None:
    with pytest.raises(ServiceError):
        decode(b"BM" + HTML * 10, LIMITS)


@pytest.mark.parametrize("kind", FAITHFUL)
def test_the_beginning_of_one_type_and_the_rest_of_another_is_refused(kind: str) -> None:
    for other in set(FAITHFUL) - {kind}:
        with pytest.raises(ServiceError):
            decode(encode(UPRIGHT, kind)[:16] + encode(UPRIGHT, other)[16:], LIMITS)


@pytest.mark.parametrize("more", [1, 8, 1000, 2**31])
def test_a_webp_that_promises_more_than_it_has_is_refused(more: int) -> None:
    for data in (encode(UPRIGHT, "WebP"), encode(UPRIGHT, "WebP", exif=pictures.exif(1))):
        for at in (4, 16):  # the length of the file, and of its first chunk
            (length,) = struct.unpack_from("<I", data, at)
            wrong = data[:at] + struct.pack("<I", length + more) + data[at + 4 :]
            with pytest.raises(BadImageError):
                decode(wrong, LIMITS)


def test_a_webp_that_ends_within_its_picture_by_its_own_length_is_refused() -> None:
    data = encode(UPRIGHT, "WebP", exif=pictures.exif(1))
    with pytest.raises(BadImageError):
        decode(data[:4] + struct.pack("<I", 40) + data[8:], LIMITS)


@pytest.mark.parametrize("length", [0, 12, 14, 2**31 - 1, 2**32 - 1])
def test_a_png_chunk_of_a_wrong_length_is_refused(length: int) -> None:
    png = encode(UPRIGHT, "PNG")
    for at in (8, 33):  # of the header, and of the pixels
        with pytest.raises(BadImageError):
            decode(png[:at] + struct.pack(">I", length) + png[at + 4 :], LIMITS)


@pytest.mark.parametrize("length", [0, 1, 0xFFFF])
def test_a_jpeg_segment_of_a_wrong_length_is_refused(length: int) -> None:
    jpeg = encode(UPRIGHT, "JPEG")
    for marker in (b"\xff\xdb", b"\xff\xc0", b"\xff\xc4", b"\xff\xda"):
        at = jpeg.index(marker) + 2
        with pytest.raises(BadImageError):
            decode(jpeg[:at] + struct.pack(">H", length) + jpeg[at + 2 :], LIMITS)


@pytest.mark.parametrize("start", [0x7FFFFFFF, 0xFFFFFFFF, 100_000])
def test_a_bmp_whose_pixels_begin_behind_its_end_is_refused(start: int) -> None:
    bmp = encode(UPRIGHT, "BMP")
    with pytest.raises(BadImageError):
        decode(bmp[:10] + struct.pack("<I", start) + bmp[14:], LIMITS)
