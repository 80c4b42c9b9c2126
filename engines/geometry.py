"""From an image to a network's input, and from its pixels back to the image's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a bottom-up network wants its pictures.

    Attributes:
        height: of the network's input, in pixels.
        stride: width and height are multiples of it.
        border: grey value around the picture.
        max_aspect: pictures wider than this many heights are fitted by their width, so
            that no picture makes an input that the engine cannot hold.
    """

    height: int
    stride: int = 8
    border: int = 128
    max_aspect: float = 4.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network's input and the way back.

    Attributes:
        pixels: (h, w, 3) uint8.
        scale: network pixels per image pixel in x and y.
        offset: of the picture's top left corner in the network's input, x and y.
    """

    pixels: Pixels
    scale: tuple[float, float]
    offset: tuple[int, int]

    def to_image(self, points: Floats) -> Floats:
        """(..., 2) x, y on the network's input, where a pixel's centre is whole, as x, y of the
        image, where (0, 0) is the top left corner and a pixel's centre ends in .5 (COCO's way).
        """
        offset = np.asarray(self.offset, np.float32)
        scale = np.asarray(self.scale, np.float32)
        return (points + np.float32(0.5) - offset) / scale


def letterbox(image: Pixels, to: Letterbox) -> Prepared:
    """Fits `image` (H, W, 3) to a network's height and centres it on a grey border.

    The input is never narrower than high: Lightweight OpenPose's own preprocessing, its
    `val.py`. The border is grey because the authors pad with 0 after normalising.
    """
    height, width = image.shape[:2]
    ratio = min(to.height / height, to.max_aspect * to.height / width)
    fit_w, fit_h = max(1, round(width * ratio)), max(1, round(height * ratio))
    full_w = _ceil(max(fit_w, to.height), to.stride)
    full_h = _ceil(to.height, to.stride)
    left, top = (full_w - fit_w) // 2, (full_h - fit_h) // 2
    if (fit_w, fit_h) == (full_w, full_h):
        pixels = _resize(image, fit_w, fit_h)
    else:
        pixels = np.full((full_h, full_w, 3), to.border, np.uint8)
        pixels[top : top + fit_h, left : left + fit_w] = _resize(image, fit_w, fit_h)
    return Prepared(pixels, (fit_w / width, fit_h / height), (left, top))


def _resize(image: Pixels, width: int, height: int) -> Pixels:
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _ceil(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
