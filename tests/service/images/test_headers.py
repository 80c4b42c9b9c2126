"""Headers that promise too much or too little, and files that are cut short or damaged."""

from __future__ import annotations

import resource
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import BadImageError, ImageTooLargeError, ServiceError
from service.images import bmp, jpeg, png, webp
from service.images.codec import ImageLimits, decode
from tests.service import pictures
from tests.service.pictures import FAITHFUL, encode, pillow, save

UPRIGHT = pictures.picture(13, 21)
LIMITS = ImageLimits()
READERS = {
    "JPEG": jpeg.read,
    "PNG": png.read,
    "WebP": webp.read,
    "BMP": bmp.read,
}
FILES = {
    "JPEG": encode(UPRIGHT, "JPEG"),
    "JPEG, progressive": encode(UPRIGHT, "JPEG", progressive=True),
    "JPEG, with restarts": encode(UPRIGHT, "JPEG", restart_marker_rows=1),
    "PNG": encode(UPRIGHT, "PNG"),
    "PNG, palette": save(pillow(UPRIGHT).quantize(16), "PNG"),
    "WebP": encode(UPRIGHT, "WebP"),
    "WebP, lossy": encode(UPRIGHT, "WebP", lossless=False),
    "WebP, extended": encode(UPRIGHT, "WebP", exif=pictures.exif(1)),
    "BMP": encode(UPRIGHT, "BMP"),
    "BMP, palette": save(pillow(UPRIGHT).quantize(16), "BMP"),
}


def read_size(kind: str, data: bytes) -> tuple[int, int]:
    source = READERS[kind](data)
    return source.width, source.height


BOUNDED = settings(max_examples=150, deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize("name", FILES)
def test_the_header_tells_the_size_that_is_decoded(name: str) -> None:
    kind = name.split(",", maxsplit=1)[0]
    height, width = decode(FILES[name], LIMITS).shape[:2]
    assert read_size(kind, FILES[name]) == (width, height) == (21, 13)


def test_the_size_is_the_stored_one_whatever_the_orientation() -> None:
    assert read_size("JPEG", encode(UPRIGHT, "JPEG", exif=pictures.exif(6))) == (21, 13)


def test_an_old_bmp_header_is_read() -> None:
    row = UPRIGHT[0, :4].tobytes()
    core = struct.pack("<IHHHH", 12, 4, 1, 1, 24)
    data = b"BM" + struct.pack("<IHHI", 26 + len(row), 0, 0, 26) + core + row
    assert np.array_equal(decode(data, LIMITS), UPRIGHT[:1, :4])


def test_bytes_before_a_jpeg_marker_are_passed_over_as_the_decoder_does() -> None:
    jpeg = FILES["JPEG"]
    data = jpeg[:2] + b"\xff\xe1\0\2" + b"\xff\0 stray \xff\xff" + jpeg[2:]
    assert read_size("JPEG", data) == (21, 13)
    assert np.array_equal(decode(data, LIMITS), decode(jpeg, LIMITS))


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name: str) -> None:
    for length in range(1, len(FILES[name])):
        with pytest.raises(BadImageError):
            decode(FILES[name][:length], LIMITS)


@pytest.mark.parametrize("name", [name for name in FILES if name[:4] in ("JPEG", "PNG", "PNG,")])
def test_a_file_whose_rest_is_zeros_is_refused(name: str) -> None:
    data = FILES[name]
    for length in range(len(data) // 4, len(data) - 4, 7):
        with pytest.raises(BadImageError):
            decode(data[:length] + bytes(len(data) - length), LIMITS)


def test_a_jpeg_cut_in_its_header_is_called_cut() -> None:
    with pytest.raises(BadImageError, match="ends before its picture does: send the whole file"):
        decode(FILES["JPEG"][:100], LIMITS)


def test_a_png_bomb_is_refused_before_a_pixel_is_decoded() -> None:
    bomb = pictures.png_of_size(20_000, 20_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ImageTooLargeError, match="20000 x 20000 pixels and at most 25000000"):
        decode(bomb, LIMITS)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 16 * 1024  # KiB; the pixels are 1.2 GB


def test_every_type_is_measured_before_it_is_decoded() -> None:
    frame = FILES["JPEG"].index(b"\xff\xc0") + 5
    huge = struct.pack(">HH", 40_000, 40_000)
    jpeg = FILES["JPEG"][:frame] + huge + FILES["JPEG"][frame + 4 :]
    canvas = b"\x3f\x9c\x00" * 2
    webp = FILES["WebP, extended"][:24] + canvas + FILES["WebP, extended"][30:]
    for data in (jpeg, webp, pictures.bmp_of_size(40_000, -40_000)):
        with pytest.raises(ImageTooLargeError, match="40000 x 40000 pixels"):
            decode(data, LIMITS)


def test_a_side_above_65535_is_refused_however_few_the_pixels() -> None:
    for width, height in ((65536, 1), (1, 65536)):
        with pytest.raises(ImageTooLargeError, match=f"{width} x {height} pixels"):
            decode(pictures.png_of_size(width, height), LIMITS)


@pytest.mark.parametrize(("width", "height"), [(0, 9), (9, 0), (0, 0)])
def test_a_picture_without_pixels_is_refused(width: int, height: int) -> None:
    for data in (pictures.png_of_size(width, height), pictures.bmp_of_size(width, height)):
        with pytest.raises(BadImageError, match=f"{width} x {height} pixels: send a picture"):
            decode(data, LIMITS)


def test_a_header_that_disagrees_with_its_picture_is_refused() -> None:
    data = FILES["WebP, extended"]
    smaller = data[:24] + b"\x09\0\0\x09\0\0" + data[30:]
    assert read_size("WebP", smaller) == (10, 10)
    with pytest.raises(BadImageError, match="cannot be decoded"):
        decode(smaller, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000,
        b"\xff\xd8\xff\xd9" + FILES["JPEG"],
        FILES["PNG"].replace(b"IHDR", b"IDHR"),
        FILES["WebP"].replace(b"VP8L", b"VP9L"),
        FILES["BMP"][:14] + b"\x10" + FILES["BMP"][15:],
    ],
)
def test_a_header_that_is_none_is_called_damaged(data: bytes) -> None:
    with pytest.raises(BadImageError, match="its header is damaged: save the picture again"):
        decode(data, LIMITS)


def assert_picture_or_service_error(data: bytes) -> None:
    try:
        pixels = decode(data, ImageLimits(max_pixels=1_000_000))
    except ServiceError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


@BOUNDED
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert_picture_or_service_error(data)


@BOUNDED
@given(st.sampled_from(sorted(FAITHFUL)), st.binary(max_size=300))
def test_random_bytes_behind_a_true_beginning_are_refused(kind: str, data: bytes) -> None:
    assert_picture_or_service_error(FILES[kind][:16] + data)


@BOUNDED
@given(st.sampled_from(sorted(FILES)), st.data())
def test_a_damaged_file_is_a_picture_or_refused(name: str, draw: st.DataObject) -> None:
    data = bytearray(FILES[name])
    for _ in range(draw.draw(st.integers(1, 4))):
        # Mostly in the header: damaged pixels teach less.
        place = draw.draw(st.integers(0, 63) | st.integers(0, len(data) - 1))
        data[place] = draw.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255))
    assert_picture_or_service_error(bytes(data))
