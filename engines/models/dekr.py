"""DEKR: one pass of one network, or one a scale, each with or without its mirrored copy."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import cv2
import numpy as np

from engines.geometry import Floats, Pixels
from engines.grouping.dekr import COCO, STRIDE, DekrRule, Pass, decode
from engines.grouping.dekr_rescoring import Layers, rescore
from engines.people import People
from engines.sizes import Made, made_by
from engines.skeletons import Skeleton
from engines.steps import Infer, Steps

_MULTIPLE = 64  # of which both sides of the input are multiples
_LEAST_SCORE = 1e-4  # of a keypoint: 0 would say that it is missing, and DEKR's never are


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture lies on the network's input of scale 1.

    Attributes:
        size: width and height of the input.
        zoom: input pixels per image pixel.
        offset: x, y of the image's first pixel on the input, both counted in whole pixels.
    """

    size: tuple[int, int]
    zoom: float
    offset: tuple[float, float]

    def warp(self, image: Pixels, scale: float = 1.0) -> Pixels:
        """`image` (H, W, 3) on the input of that scale (h, w, 3), black around it."""
        (x, y), zoom = self.offset, self.zoom
        affine = scale * np.array([[zoom, 0, x], [0, zoom, y]])
        return np.asarray(cv2.warpAffine(image, affine, _scaled(self.size, scale)), np.uint8)

    def to_image(self, points: Floats) -> Floats:
        """(..., 2) x, y on the input of scale 1 as x, y of the image, as COCO counts.

        No half pixel comes in, though the picture is warped by its pixels' numbers: the
        authors take COCO's coordinates through this very affine as they are and train on
        that, so the network has learned to answer in COCO's coordinates.
        """
        offset = np.asarray(self.offset, np.float32)
        return (points - offset) / np.float32(self.zoom)


def place(width: int, height: int, short_side: int, max_aspect: float = 4.0) -> Placement:
    """Fits a picture's short side to the input's: `get_multi_scale_size` of HRNet/DEKR.

    Departs from it in that an input's long side is at most `max_aspect` short ones: a longer
    picture is fitted by its long side, so that no picture makes an input that the engine
    cannot hold.
    """
    short, long = min(width, height), max(width, height)
    fit_short = _ceil(short_side)
    zoom = min(fit_short / short, max_aspect * fit_short / long)
    fit_long = _ceil(zoom * long)
    fit_w, fit_h = (fit_short, fit_long) if width < height else (fit_long, fit_short)
    centre_x, centre_y = int(width / 2 + 0.5), int(height / 2 + 0.5)
    offset = (fit_w / 2 - zoom * centre_x, fit_h / 2 - zoom * centre_y)
    return Placement((fit_w, fit_h), zoom, offset)


def _ceil(side: float) -> int:
    """The next multiple; less than a pixel beyond one is cut off, as by the authors."""
    return int((side + _MULTIPLE - 1) // _MULTIPLE) * _MULTIPLE


def _scaled(size: tuple[int, int], scale: float) -> tuple[int, int]:
    return int(scale * size[0]), int(scale * size[1])


@dataclass(frozen=True, slots=True)
class Dekr:
    """Z. Geng et al., "Bottom-Up Human Pose Estimation Via Disentangled Keypoint Regression", 2021.

    Attributes:
        short_side: of the input, rounded up to a multiple of 64.
        flip: asks for the mirrored picture, too, in the same batch, and averages.
        scales: of the input, 1 among them; multiples of 1/2, so that the input's sides stay
            multiples of the 32 that the network needs.
        rescoring: parameters of the rescoring network.
    """

    skeleton: Skeleton
    short_side: int
    network: str = "network"
    rule: DekrRule = COCO
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    rescoring: Layers | None = None

    def __post_init__(self) -> None:
        if 1 not in self.scales or any(scale <= 0 or scale % 0.5 for scale in self.scales):
            raise ValueError(f"scales {self.scales} are not multiples of 0.5 with 1 among them")

    @property
    def sizes(self) -> Made:
        """Of the network's input, of all scales; the usual one is of scale 1."""
        made = made_by(lambda image: self._place(image).warp(image), _MULTIPLE)
        least, usual, largest = made.sizes
        low, high = _scaled(least, min(self.scales)), _scaled(largest, max(self.scales))
        return Made((low, usual, high), gcd(*(int(scale * _MULTIPLE) for scale in self.scales)))

    def steps(self, image: Pixels) -> Steps:
        placement = self._place(image)
        inputs = [self._input(placement.warp(image, scale)) for scale in self.scales]
        del image  # a large photograph is not kept while its inputs wait for the engine
        passes = []
        for scale in self.scales:
            maps = yield Infer(self.network, inputs.pop(0))
            passes.append(Pass(maps["heatmaps"], maps["offsets"], scale))
        keypoints, scores = decode(passes, self.skeleton, self.rule)

        keypoints[:, :, :2] = placement.to_image(keypoints[:, :, :2])
        if self.rescoring is not None:
            scores = rescore(keypoints, scores, self.skeleton, self.rescoring)
        keypoints[:, :, 2] = keypoints[:, :, 2].clip(_LEAST_SCORE, 1)
        return People.of(keypoints, scores.clip(0, 1))

    def _place(self, image: Pixels) -> Placement:
        height, width = image.shape[:2]
        return place(width, height, self.short_side)

    def _input(self, pixels: Pixels) -> Pixels:
        """(1, h, w, 3), or (2, h, w, 3) with the mirrored copy that `Pass` speaks of."""
        if not self.flip:
            return pixels[None]
        mirrored = pixels[:, ::-1]
        moved = np.concatenate([mirrored[:, STRIDE - 1 :], mirrored[:, 1 - STRIDE :]], axis=1)
        return np.stack([pixels, moved])
