"""Photographs of people: those of the user, else the two that come with the package.

Int8 is calibrated with them and engines are compared on them. Those of the package are the
sample pictures of scikit-image 0.26 (`skimage.data`), as JPEG:

- `astronaut.jpg`: Eileen Collins, NASA, https://flic.kr/p/r9qvLn; in the public domain.
- `cameraman.jpg`: a man with a camera, by Lav Varshney; CC0, see
  https://github.com/scikit-image/scikit-image/issues/3927.

Each shows one person, so that the whole picture is a fair box for a top-down network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path

import cv2
import numpy as np

from engines.geometry import Pixels
from engines.pictures.inputs import inputs_of

__all__ = ["MOST", "SUFFIXES", "inputs_of", "pictures", "views"]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
MOST = 40  # of a user's folder: the largest networks take PyTorch a second or two for each
_LONGEST = 1280  # pixels of a side: no network looks at more of a picture
_OWN = ("astronaut.jpg", "cameraman.jpg")


def pictures(folder: Path | None = None) -> list[Pixels]:
    """Pictures (H, W, 3) uint8 BGR, as displayed but for large ones, which are made smaller.

    Args:
        folder: of the user, the first `MOST` of whose pictures are taken by their names; the
            package's own if None.

    Raises:
        OSError: the folder cannot be listed.
        ValueError: it has no pictures, or one that cannot be read.
    """
    if folder is None:
        own = resources.files("engines.pictures")
        return [_decode(own.joinpath(name).read_bytes(), name) for name in _OWN]
    found = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
    if not found:
        raise ValueError(f"{folder} has no pictures ({', '.join(sorted(SUFFIXES))})")
    return [_decode(file.read_bytes(), str(file)) for file in found[:MOST]]


def views(pictures: Iterable[Pixels]) -> Iterator[Pixels]:
    """Further pictures made of these, so that int8 is fitted to more than a few sizes and lights.

    Of each: mirrored; beside its mirrored copy, as two people; its middle half, upright; farther
    away; darker.
    """
    for picture in pictures:
        width = picture.shape[1]
        mirrored = np.ascontiguousarray(picture[:, ::-1])
        farther = np.full_like(picture, 128)
        smaller = _resize(picture, 0.5)
        farther[-smaller.shape[0] :, : smaller.shape[1]] = smaller
        yield mirrored
        yield np.hstack([picture, mirrored])
        yield np.ascontiguousarray(picture[:, width // 4 : width - width // 4])
        yield farther
        yield picture // 2


def _decode(data: bytes, name: str) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # an empty file, or more pixels than OpenCV reads
        pixels = None
    if pixels is None:
        raise ValueError(f"{name} cannot be read as a picture: take it away, or save it again")
    return _resize(np.asarray(pixels, np.uint8), min(1, _LONGEST / max(pixels.shape)))


def _resize(picture: Pixels, ratio: float) -> Pixels:
    height, width = (max(1, round(side * ratio)) for side in picture.shape[:2])
    resized = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.uint8)
