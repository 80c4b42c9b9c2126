"""Small valid pictures of every variety, to mutate."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Any, Final

import cv2
import numpy as np

from tests.service import pictures
from tests.service.pictures import encode, pillow, png_chunk, save

PICTURE: Final = pictures.picture(40, 56)
TINY: Final = PICTURE[:13, :21]
FLAT: Final = np.full((64, 64, 3), 77, np.uint8)


@cache
def seeds(kind: str) -> tuple[bytes, ...]:
    """Files of a type: JPEG, PNG, WebP or BMP."""
    return tuple({"JPEG": _jpegs, "PNG": _pngs, "WebP": _webps, "BMP": _bmps}[kind]())


def _jpegs() -> list[bytes]:
    varieties: list[tuple[str, dict[str, Any]]] = [
        *(("RGB", {"quality": q, "subsampling": s}) for q in (20, 95) for s in (0, 1, 2)),
        *((mode, {"progressive": p}) for mode in ("RGB", "L", "CMYK") for p in (False, True)),
        ("RGB", {"restart_marker_blocks": 1}),
        ("RGB", {"restart_marker_rows": 1, "progressive": True}),
        ("RGB", {"optimize": True, "icc_profile": bytes(3000), "comment": b"a comment"}),
        ("RGB", {"dpi": (72, 72), "exif": pictures.exif(5), "xmp": b"<x:xmpmeta/>"}),
        ("RGB", {"keep_rgb": True}),
    ]
    plain = encode(PICTURE, "JPEG")
    frame = plain.index(b"\xff\xc0") + 1
    return [
        *(save(pillow(PICTURE, mode), "JPEG", **options) for mode, options in varieties),
        *(save(pillow(FLAT), "JPEG", progressive=p) for p in (False, True)),
        *(pictures.app1(plain, pictures.exif(o, "<>"[o % 2])) for o in range(1, 9)),
        plain[:frame] + b"\xc9" + plain[frame + 1 :],  # codes are read as arithmetic ones
        plain[:frame] + b"\xc1" + plain[frame + 1 :],
        save(pillow(PICTURE), "MPO", save_all=True, append_images=[pillow(FLAT)]),
    ]


# Adam7: columns and rows apart, first column and row.
_PASSES: Final = (
    *((8, 8, 0, 0), (8, 8, 4, 0), (4, 8, 0, 4), (4, 4, 2, 0)),
    *((2, 4, 0, 2), (2, 2, 1, 0), (1, 2, 0, 1)),
)


def _png(
    depth: int, colour: int, interlaced: int, *extra: bytes, size: tuple[int, int] = (21, 13)
) -> bytes:
    """A PNG of noise, or if large of one colour, with `extra` chunks before its pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rng = np.random.default_rng(depth + colour)
    rows = bytearray()
    for dx, dy, x, y in _PASSES if interlaced else ((1, 1, 0, 0),):
        width, height = (size[0] - x + dx - 1) // dx, (size[1] - y + dy - 1) // dy
        most = 256 if size[0] < 100 else 1
        line = rng.integers(0, most, (width * depth * channels + 7) // 8).astype(np.uint8)
        rows += b"".join(bytes((row % 5,)) + line.tobytes() for row in range(height))
    palette = [png_chunk(b"PLTE", bytes(range(3 << min(depth, 6))))] if colour == 3 else []
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, interlaced)
    pixels = png_chunk(b"IDAT", zlib.compress(rows, 9))
    chunks = [png_chunk(b"IHDR", header), *palette, *extra, pixels, png_chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _pngs() -> list[bytes]:
    depths = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
    packed = zlib.compress(bytes(2000))
    texts = [
        png_chunk(b"tEXt", b"Title\0a title"),
        png_chunk(b"tEXt", b"Raw profile type exif\0\nexif\n      12\n" + b"45786966" * 3),
        png_chunk(b"zTXt", b"Comment\0\0" + packed),
        png_chunk(b"iTXt", b"Comment\0\1\0\0\0" + packed),
        png_chunk(b"iCCP", b"icc\0\0" + packed),
        png_chunk(b"gAMA", struct.pack(">I", 45455)) + png_chunk(b"bKGD", bytes(6)),
        *(png_chunk(b"eXIf", pictures.exif(o)[6:]) for o in range(1, 9)),
    ]
    frames = [pillow(FLAT[:13, :21]), pillow(TINY)]
    return [
        *(_png(d, c, i) for c, several in depths.items() for d in several for i in (0, 1)),
        *(_png(8, 2, 0, text) for text in texts),
        _png(4, 3, 0, png_chunk(b"tRNS", b"\0\x80")),
        _png(8, 2, 0, png_chunk(b"tRNS", bytes(6))),
        *(
            save(pillow(TINY), "PNG", save_all=True, append_images=frames, default_image=default)
            for default in (False, True)
        ),
        *(_png(1, 0, i, size=(5000, 5000)) for i in (0, 1)),
        *(_png(16, 6, i, size=(900, 900)) for i in (0, 1)),
    ]


def _webps() -> list[bytes]:
    clear = pillow(PICTURE)
    clear.putalpha(pillow(255 - PICTURE, "L"))
    several: list[dict[str, Any]] = [
        {"quality": 50},
        {"quality": 90, "method": 0},
        {"lossless": True},
        {"lossless": True, "method": 6},
        {"lossless": True, "exact": True, "quality": 0},
        {"quality": 50, "alpha_quality": 40},
        {"icc_profile": bytes(300), "xmp": b"<x:xmpmeta/>"},
    ]
    still = [save(image, "WebP", **o) for image in (pillow(PICTURE), clear) for o in several]
    small = clear.resize((20, 30)).resize(clear.size)
    moving = [
        save(clear, "WebP", save_all=True, append_images=[small, clear.rotate(90)], **options)
        for options in ({"lossless": True}, {"quality": 60}, {"allow_mixed": True})
    ]
    flat = [save(pillow(FLAT, mode), "WebP", lossless=True) for mode in ("RGB", "RGBA", "L")]
    palette = save(pillow(PICTURE).quantize(7).convert("RGB"), "WebP", lossless=True)
    turned = [encode(PICTURE, "WebP", exif=pictures.exif(o)) for o in range(1, 9)]
    return [*still, *moving, *flat, palette, *turned]


def _bmp(bits: int, body: bytes, header: int = 40, coding: int = 0, height: int = 13) -> bytes:
    """A BMP of 21 pixels across with any header, palette and coding."""
    if header == 12:
        info = struct.pack("<IHHHH", 12, 21, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", 40, 21, height, 1, bits, coding, len(body), 0, 0, 0, 0)
        info = struct.pack("<I", header) + info[4:].ljust(header - 4, b"\0")
    colours = bytes(range(256)) * 4
    palette = colours[: (3 if header == 12 else 4) << bits] if bits <= 8 else b""
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F) if coding == 3 and header == 40 else b""
    start = 14 + len(info) + len(masks) + len(palette)
    head = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start)
    return head + info + masks + palette + body


def _bmps() -> list[bytes]:
    noise = np.random.default_rng(1).integers(0, 256, 21 * 13 * 5, np.uint8).tobytes()
    runs = (b"\x05\x11\x10\x22\x00\x06abcdef" + b"\0\0") * 13 + b"\0\1"
    jumps = b"\x03\x01\0\2\x04\x01\x08\x21\0\0\0\2\x01\x01" * 4 + b"\0\1"
    depths = (1, 4, 8, 16, 24, 32)
    return [
        *(_bmp(b, noise, h) for b in depths for h in (12, 40, 52, 56, 64, 108, 124)),
        *(_bmp(b, noise, height=-13) for b in depths),
        *(_bmp(8, body, coding=1) for body in (runs, jumps, b"\0\1")),
        *(_bmp(4, body, coding=2) for body in (runs, jumps, b"\x15\x11\0\0" * 13 + b"\0\1")),
        *(_bmp(b, noise, h, 3) for b in (16, 32) for h in (40, 56, 108)),
        *(save(pillow(PICTURE, mode), "BMP") for mode in ("1", "L", "P", "RGB", "RGBA")),
        cv2.imencode(".bmp", PICTURE)[1].tobytes(),
    ]
