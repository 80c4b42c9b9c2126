"""Bytes to pixels: what comes out of every accepted type."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import pytest

from service.errors import BadImageError, ImageTooLargeError
from service.images.codec import ImageLimits, decode
from tests.service import pictures
from tests.service.pictures import FAITHFUL, Pixels, by_pillow, encode, pillow, save

UPRIGHT = pictures.picture()
TURNED = 255 - UPRIGHT
LIMITS = ImageLimits()
JPEG_ROUNDING = 12


def assert_same_colours(pixels: Pixels, expected: Pixels, tolerance: int = 0) -> None:
    assert pixels.shape == expected.shape
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert np.abs(pixels.astype(int) - expected).max() <= tolerance


def png16(pixels: np.ndarray[Any, np.dtype[np.uint16]]) -> bytes:
    written, file = cv2.imencode(".png", pixels)
    assert written
    return file.tobytes()


def run_length_bmp(indices: Pixels, palette: Pixels) -> bytes:
    """An 8-bit BMP whose rows are runs of one pixel; `palette` is (256, 3) BGR."""
    rows = (b"".join(bytes((1, index)) for index in row) + b"\0\0" for row in indices[::-1])
    body = b"".join(rows) + b"\0\1"
    colours = np.pad(palette, ((0, 0), (0, 1))).tobytes()
    height, width = indices.shape
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(body), 0, 0, 256, 0)
    start = 54 + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + colours + body


@pytest.mark.parametrize("kind", FAITHFUL)
def test_every_accepted_type_keeps_its_colours(kind: str) -> None:
    tolerance = JPEG_ROUNDING if kind == "JPEG" else 0
    assert_same_colours(decode(encode(UPRIGHT, kind), LIMITS), UPRIGHT, tolerance)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WebP"])
def test_a_picture_comes_out_as_displayed(kind: str, orientation: int) -> None:
    stored = pictures.stored(UPRIGHT, orientation)
    data = encode(stored, kind, exif=pictures.exif(orientation))
    tolerance = JPEG_ROUNDING if kind == "JPEG" else 0
    assert_same_colours(decode(data, LIMITS), UPRIGHT, tolerance)


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_found_in_both_byte_orders_and_behind_xmp(order: str) -> None:
    jpeg = encode(pictures.stored(UPRIGHT, 6), "JPEG")
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"
    data = pictures.app1(jpeg, xmp, pictures.exif(6, order))
    assert_same_colours(decode(data, LIMITS), UPRIGHT, JPEG_ROUNDING)


@pytest.mark.parametrize("length", range(6, 32, 3))
def test_damaged_exif_leaves_the_picture_readable(length: int) -> None:
    data = pictures.app1(encode(UPRIGHT, "JPEG"), pictures.exif(3)[:length])
    assert decode(data, LIMITS).shape == UPRIGHT.shape


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    data = encode(UPRIGHT, "PNG", exif=pictures.exif(orientation))
    assert_same_colours(decode(data, LIMITS), UPRIGHT)


@pytest.mark.parametrize(
    ("mode", "options"),
    [("L", {}), ("CMYK", {}), ("RGB", {"progressive": True}), ("RGB", {"restart_marker_rows": 1})],
)
def test_jpeg_varieties_agree_with_pillow(mode: str, options: dict[str, Any]) -> None:
    data = save(pillow(UPRIGHT, mode), "JPEG", **options)
    assert_same_colours(decode(data, LIMITS), by_pillow(data), tolerance=1)


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_grey_palette_and_one_bit_pictures_become_colour(kind: str, mode: str) -> None:
    data = save(pillow(UPRIGHT, mode), kind)
    assert_same_colours(decode(data, LIMITS), by_pillow(data))


@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("WebP", {"exact": True})])
def test_alpha_is_dropped_and_not_composited(kind: str, options: dict[str, Any]) -> None:
    image = pillow(UPRIGHT)
    image.putalpha(pillow(TURNED, "L"))
    assert_same_colours(decode(save(image, kind, **FAITHFUL[kind], **options), LIMITS), UPRIGHT)


def test_grey_with_alpha_is_read() -> None:
    data = save(pillow(UPRIGHT, "LA"), "PNG")
    assert_same_colours(decode(data, LIMITS), by_pillow(data))


def test_sixteen_bits_a_channel_become_eight() -> None:
    grey = UPRIGHT[:, :, 0]
    assert_same_colours(decode(png16(UPRIGHT.astype(np.uint16) * 257), LIMITS), UPRIGHT)
    assert_same_colours(
        decode(png16(grey.astype(np.uint16) * 257), LIMITS), np.dstack([grey, grey, grey])
    )


@pytest.mark.parametrize("kind", ["PNG", "WebP"])
def test_the_first_frame_of_an_animation_is_taken(kind: str) -> None:
    frames = [pillow(TURNED), pillow(UPRIGHT)]
    data = encode(UPRIGHT, kind, save_all=True, append_images=frames)
    assert_same_colours(decode(data, LIMITS), UPRIGHT)


def test_a_bmp_may_store_its_rows_from_the_top() -> None:
    height, width = UPRIGHT.shape[:2]
    data = pictures.bmp_of_size(width, -height, UPRIGHT.tobytes())
    assert_same_colours(decode(data, LIMITS), UPRIGHT)


def test_a_run_length_bmp_is_read() -> None:
    palette = np.random.default_rng(3).integers(0, 256, (256, 3), np.uint8)
    indices = np.ascontiguousarray(UPRIGHT[:, :, 0])
    assert_same_colours(decode(run_length_bmp(indices, palette), LIMITS), palette[indices])


@pytest.mark.parametrize("kind", FAITHFUL)
def test_bytes_after_the_end_are_ignored(kind: str) -> None:
    data = encode(UPRIGHT, kind)
    assert np.array_equal(decode(data + b"a motion photo's video", LIMITS), decode(data, LIMITS))


def test_the_first_picture_of_a_multi_picture_jpeg_is_taken() -> None:
    data = save(pillow(UPRIGHT), "MPO", save_all=True, append_images=[pillow(TURNED)], quality=95)
    assert_same_colours(decode(data, LIMITS), by_pillow(data), tolerance=1)


def test_several_threads_decode_at_once() -> None:
    files = [encode(UPRIGHT, kind) for kind in FAITHFUL] * 25
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: decode(data, LIMITS), files))
    for data, pixels in zip(files, together, strict=True):
        assert np.array_equal(pixels, decode(data, LIMITS))


@pytest.mark.parametrize("kind", FAITHFUL)
def test_limits_hold_to_the_byte_and_to_the_pixel(kind: str) -> None:
    data = encode(UPRIGHT, kind)
    pixels = UPRIGHT.shape[0] * UPRIGHT.shape[1]
    assert decode(data, ImageLimits(len(data), pixels)).shape == UPRIGHT.shape
    with pytest.raises(ImageTooLargeError, match=f"at most {len(data) - 1} are accepted: send"):
        decode(data, ImageLimits(len(data) - 1, pixels))
    with pytest.raises(ImageTooLargeError, match=f"at most {pixels - 1} in all.*: scale it down"):
        decode(data, ImageLimits(len(data), pixels - 1))


def test_an_empty_image_is_refused_with_what_to_send() -> None:
    with pytest.raises(BadImageError, match="send the bytes of a JPEG, PNG, WebP or BMP file"):
        decode(b"", LIMITS)
