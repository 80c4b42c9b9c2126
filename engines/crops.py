"""From boxes around people to a top-down network's inputs, and from its maps back to the image.

The crops are those of HRNet (leoxiaobin/deep-high-resolution-net.pytorch, `_xywh2cs`,
`get_affine_transform` and `transform_preds`): the box, widened or heightened to the aspect of
the network's input and enlarged by a quarter, black outside the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engines.geometry import Pixels

Floats = npt.NDArray[np.float32]

_ENLARGED = 1.25
_TOO_LONG = 32_767  # pixels a side that OpenCV 4 does not warp: every second is taken


@dataclass(frozen=True, slots=True)
class Frames:
    """The upright parts of a picture that crops show.

    Attributes:
        centres: (N, 2) float32 x, y in image pixels.
        sizes: (N, 2) float32 width and height in image pixels; the authors' `scale` is a 200th.
    """

    centres: Floats
    sizes: Floats

    @classmethod
    def around(cls, boxes: Floats, aspect: float) -> Frames:
        """Around (N, 4) x, y, width, height, of `aspect` times their height in width."""
        width, height = boxes[:, 2].astype(np.float64), boxes[:, 3].astype(np.float64)
        sizes = [np.maximum(width, height * aspect), np.maximum(width / aspect, height)]
        return cls(
            (boxes[:, :2] + boxes[:, 2:] / 2).astype(np.float32),
            (_ENLARGED * np.stack(sizes, axis=1)).astype(np.float32),
        )

    @property
    def areas(self) -> Floats:
        """(N,) in square pixels of the image."""
        return np.asarray(self.sizes.prod(axis=1), np.float32)

    def affines(self, width: int, height: int) -> npt.NDArray[np.float64]:
        """(N, 2, 3) from the image to crops of that size, pixel index to pixel index.

        A box's centre is the centre of its crop as the authors count, who take the box's
        numbers for pixel indices: half a pixel of the image away from where the box has it.
        """
        ratios = width / self.sizes[:, 0].astype(np.float64)
        affines = np.zeros((len(ratios), 2, 3))
        affines[:, 0, 0] = affines[:, 1, 1] = ratios
        affines[:, :, 2] = np.array([width, height]) / 2 - ratios[:, None] * self.centres
        return affines

    def to_image(self, points: Floats, width: int, height: int) -> Floats:
        """(N, K, 2) x, y on maps of that size, where a pixel's centre is whole, as x, y of the
        image, counted as its training annotations were: COCO's from the top left corner.

        The authors take annotations for pixel indices as they draw the heatmaps to be learned,
        and predictions for annotations: the half pixel between the two is learned. To add it
        here as well costs up to a point of COCO AP.
        """
        ratios = self.sizes[:, None, :1] / np.float32(width)
        middle = np.array([width / 2, height / 2], np.float32)
        return np.asarray((points - middle) * ratios + self.centres[:, None], np.float32)


@dataclass(frozen=True, slots=True)
class Crops:
    """A network's inputs and the way back.

    Attributes:
        pixels: (N, h, w, 3) uint8, the image's colours.
        frames: what of the image they show.
    """

    pixels: Pixels
    frames: Frames


def crop(image: Pixels, boxes: Floats, width: int, height: int) -> Crops:
    """The surroundings of (N, 4) boxes x, y, width, height of an image (H, W, 3).

    The boxes are finite and have an area. Interpolation is bilinear, so crops of large boxes
    are not smoothed, as the authors' are not.
    """
    frames = Frames.around(boxes, width / height)
    affines = frames.affines(width, height)
    step = 1 + max(image.shape[:2]) // _TOO_LONG
    affines[:, :, :2] *= step
    image = np.ascontiguousarray(image[::step, ::step])
    pixels = np.empty((len(boxes), height, width, 3), np.uint8)
    for affine, into in zip(affines, pixels, strict=True):
        cv2.warpAffine(image, affine, (width, height), dst=into, flags=cv2.INTER_LINEAR)
    return Crops(pixels, frames)
