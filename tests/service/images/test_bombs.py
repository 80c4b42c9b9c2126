"""Files made to cost more than pictures do: refused, or read for their picture alone, at once."""

from __future__ import annotations

import struct
import time
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from PIL import Image

from service.errors import BadImageError, ImageTooLargeError, ServiceError
from service.images.codec import ImageLimits, decode
from tests.service import pictures
from tests.service.pictures import Pixels, encode, pillow, png_chunk, save

UPRIGHT = pictures.picture(13, 21)
LIMITS = ImageLimits()
AT_ONCE = 0.05  # seconds; without their defence these files take from 0.2 to 9


def seconds(data: bytes) -> float:
    """Of the processor to refuse or read a file, the least of three."""
    taken = []
    for _ in range(3):
        started = time.process_time()
        with suppress(ServiceError):
            decode(data, LIMITS)
        taken.append(time.process_time() - started)
    return min(taken)


def with_chunk(name: bytes, body: bytes, times: int = 1) -> bytes:
    """A PNG with a chunk between its header and its pixels."""
    png = encode(UPRIGHT, "PNG")
    return png[:33] + png_chunk(name, body) * times + png[33:]


def exif_bomb(size: int, then: bytes = b"") -> bytes:
    """EXIF data whose every entry is as long as all of it."""
    entries = min(65535, (size - 20) // 12)
    entry = struct.pack("<HHII", 0x10F, 2, size - 40, 8)
    start = b"II*\0" + struct.pack("<IH", 8, entries) + then
    return (start + entry * (entries - len(then) // 12)).ljust(size, b"\0")


def resized(kind: str, data: bytes, width: int, height: int) -> bytes:
    """`data` with other sides in its header."""
    match kind:
        case "JPEG":
            at = next(data.index(mark) for mark in (b"\xff\xc0", b"\xff\xc2") if mark in data)
            return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]
        case "PNG":
            header = struct.pack(">II", width, height) + data[24:29]
            return data[:8] + png_chunk(b"IHDR", header) + data[33:]
        case "WebP":
            return data[:26] + struct.pack("<HH", width, height) + data[30:]
        case _:
            return data[:18] + struct.pack("<ii", width, height) + data[26:]


@pytest.mark.parametrize("size", [60_000, 1_000_000])
def test_exif_entries_that_overlap_take_no_time(size: int) -> None:
    bomb = exif_bomb(size)
    png = with_chunk(b"eXIf", bomb)
    webp = encode(UPRIGHT, "WebP", exif=b"Exif\0\0" + bomb)
    jpeg = pictures.app1(encode(UPRIGHT, "JPEG"), *([b"Exif\0\0" + exif_bomb(60_000)] * 50))
    for data in (png, webp, jpeg):
        assert decode(data, LIMITS).shape == UPRIGHT.shape
        assert seconds(data) < AT_ONCE


def test_orientation_is_found_among_exif_entries_that_overlap() -> None:
    turn = struct.pack("<HHIHH", 0x112, 3, 1, 6, 0)
    data = encode(UPRIGHT, "WebP", exif=b"Exif\0\0" + exif_bomb(100_000, turn))
    assert decode(data, LIMITS).shape == (21, 13, 3)


def test_an_exif_directory_that_contains_itself_is_read_once() -> None:
    loop = b"MM\0*" + struct.pack(">IHHHIII", 8, 1, 0x8769, 4, 1, 8, 8)
    data = with_chunk(b"eXIf", loop)
    assert np.array_equal(decode(data, LIMITS), UPRIGHT)


@pytest.mark.parametrize(
    ("name", "head"),
    [(b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"k\0\0")],
)
def test_compressed_text_and_profiles_are_not_unfolded(name: bytes, head: bytes) -> None:
    data = with_chunk(name, head + zlib.compress(bytes(990_000), 9), 900)
    assert np.array_equal(decode(data, LIMITS), UPRIGHT)
    assert seconds(data) < AT_ONCE


def test_the_frames_of_an_animated_png_are_not_looked_at() -> None:
    control = png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0))
    frame = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 21, 13, 0, 0, 1, 1, 0, 0))
    png = encode(UPRIGHT, "PNG")
    data = png[:33] + control + frame * 10_000 + png[33:]
    assert np.array_equal(decode(data, LIMITS), UPRIGHT)
    assert np.array_equal(decode(with_chunk(b"fcTL", b""), LIMITS), UPRIGHT)
    assert seconds(data) < AT_ONCE


VARIETIES: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True}),
    ("PNG", {}),
    ("WebP", {"lossless": False}),
    ("BMP", {}),
]


@pytest.mark.parametrize(("kind", "options"), VARIETIES)
def test_a_file_too_short_for_its_sides_is_refused_at_once(
    kind: str, options: dict[str, Any]
) -> None:
    data = resized(kind, encode(UPRIGHT, kind, **options), 4000, 5000)
    with pytest.raises(BadImageError, match=f"The {kind} ends before its picture does"):
        decode(data, LIMITS)
    assert seconds(data) < AT_ONCE


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 1}),
        ("JPEG", {"quality": 1, "optimize": True}),
        ("JPEG", {"quality": 1, "progressive": True}),
        ("JPEG", {"quality": 1, "subsampling": 0, "progressive": True}),
        ("PNG", {"optimize": True}),
        ("WebP", {"quality": 1, "method": 6}),
        ("WebP", {"lossless": True, "method": 6}),
    ],
)
def test_no_picture_of_one_colour_is_too_short(
    kind: str, options: dict[str, Any], mode: str
) -> None:
    colour = 128 if mode == "L" else (128, 128, 128)
    for size in ((1500, 1000), (1, 1), (17, 1), (1, 4000)):
        data = save(Image.new(mode, size, colour), kind, **options)
        assert decode(data, LIMITS).shape == (size[1], size[0], 3)


def test_no_one_bit_picture_is_too_short() -> None:
    for kind in ("PNG", "BMP"):
        data = save(Image.new("1", (4000, 5000)), kind)
        assert decode(data, LIMITS).shape == (5000, 4000, 3)


def test_a_jpeg_of_many_scans_counts_as_many_pixels() -> None:
    flat = np.full((2000, 3000, 3), 99, np.uint8)
    usual = encode(flat, "JPEG", progressive=True)
    assert decode(usual, LIMITS).shape == flat.shape
    last = usual[usual.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageTooLargeError, match="3000 x 2000 pixels, which count 11 times"):
        decode(usual[:-2] + last * 100 + usual[-2:], LIMITS)
    with pytest.raises(BadImageError):
        decode(usual[:-2] + last * 2000 + usual[-2:], LIMITS)


def test_a_jpeg_that_keeps_one_component_of_three_counts_as_one_of_several_scans() -> None:
    flat = encode(np.full((3800, 6000, 3), 99, np.uint8), "JPEG", subsampling=0, quality=1)
    at = flat.index(b"\xff\xda")
    scan = b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    with pytest.raises(ImageTooLargeError, match=r"which count 1\.12 times"):
        decode(flat[:at] + scan + flat[at + 14 :], LIMITS)


def test_a_few_arithmetic_codes_do_not_fill_a_large_picture() -> None:
    data = resized("JPEG", encode(UPRIGHT, "JPEG"), 4900, 5000).replace(b"\xff\xc0", b"\xff\xc9", 1)
    with pytest.raises(ImageTooLargeError, match="which count 4 times for its variety"):
        decode(data, LIMITS)


def test_a_large_animation_is_refused() -> None:
    first, second = (pillow(np.full((2500, 4000, 3), value, np.uint8)) for value in (3, 99))
    data = save(first, "WebP", save_all=True, append_images=[second], lossless=True, method=0)
    with pytest.raises(ImageTooLargeError, match="4000 x 2500 pixels, which count 4 times"):
        decode(data, LIMITS)


def test_deep_pixels_count_more() -> None:
    def png(side: int) -> bytes:
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 1))
        return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")

    with pytest.raises(ImageTooLargeError, match="4000 x 4000 pixels, which count 2 times"):
        decode(png(4000), LIMITS)
    with pytest.raises(BadImageError, match="ends before its picture does"):
        decode(png(3000), LIMITS)


@pytest.mark.parametrize("walked", ["PNG", "WebP", "JPEG"])
def test_a_file_of_tiny_pieces_is_walked_no_further_than_a_real_one(walked: str) -> None:
    pieces: dict[str, bytes] = {
        "PNG": with_chunk(b"abCd", b"", 1_000_000),
        "WebP": b"RIFF" + struct.pack("<I", 8_000_022) + b"WEBPVP8X\x0a\0\0\0" + bytes(10)
        + b"abcd\0\0\0\0" * 1_000_000,
        "JPEG": b"\xff\xd8\xff" + b"\xe2\0\2\xff" * 3_000_000,
    }  # fmt: skip
    with pytest.raises(BadImageError, match="its header is damaged"):
        decode(pieces[walked], LIMITS)
    assert seconds(pieces[walked]) < 2 * AT_ONCE


def test_bytes_beside_the_picture_never_reach_the_decoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []

    def imdecode(data: Pixels, flags: int) -> Pixels:
        seen.append(data.tobytes())
        return UPRIGHT

    monkeypatch.setattr("service.images.codec.cv2.imdecode", imdecode)
    mark = b"<script>alert(1)</script>"
    exif = pictures.exif(1) + mark
    for data in (
        pictures.app1(encode(UPRIGHT, "JPEG", comment=mark, icc_profile=mark), exif, mark),
        encode(UPRIGHT, "JPEG") + mark + b"\xff\xd9",
        encode(UPRIGHT, "JPEG", progressive=True) + mark + b"\xff\xd9",
        with_chunk(b"tEXt", b"k\0" + mark) + mark,
        encode(UPRIGHT, "WebP", exif=exif, xmp=mark, icc_profile=mark) + mark,
    ):
        assert mark in data
        decode(data, LIMITS)
    assert not any(mark in data for data in seen)
    assert len(seen) == 5
