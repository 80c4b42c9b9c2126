"""YOLOX, the person detector before a top-down network."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np

from engines.geometry import Pixels
from engines.grouping.box_nms import nms
from engines.people import Floats, People
from engines.sizes import Made
from engines.steps import Infer, Steps

_STRIDES = (8, 16, 32)
_BORDER = 114  # grey beside the picture, as in training


@dataclass(frozen=True, slots=True)
class YoloXRule:
    """Which detections are people.

    Attributes:
        threshold: the least score, objectness times the class's probability.
        overlap: largest intersection over union of two people.
        max_people: the best are kept.
    """

    threshold: float = 0.1
    overlap: float = 0.6
    max_people: int = 100


@dataclass(frozen=True, slots=True)
class YoloX:
    """Z. Ge et al., "YOLOX: Exceeding YOLO Series in 2021".

    The network takes a BGR picture of `size` x `size` and gives "detections" (1, A, 5 + C): for
    each cell of the strides' grids x, y, width, height on the grid (the sides as logarithms),
    objectness, and the classes' probabilities; person is COCO's first.
    """

    network: str = "network"
    size: int = 416
    rule: YoloXRule = field(default_factory=YoloXRule)

    @property
    def sizes(self) -> Made:
        """Of the network's input: every picture is fitted to the same square."""
        return Made(((self.size, self.size),) * 3)

    def steps(self, image: Pixels) -> Steps:
        """People without keypoints; their boxes lie inside the picture."""
        height, width = image.shape[:2]
        ratio = self.size / max(height, width)
        pixels = _fit(image, ratio, self.size)
        del image  # a large photograph is not kept while its input waits for the engine
        maps = yield Infer(self.network, pixels[None])
        corners, scores = _detect(maps["detections"][0], self.size, self.rule)
        corners = (corners / ratio).clip(0, [width, height, width, height])
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        return People(np.zeros((len(boxes), 0, 3), np.float32), scores, boxes.astype(np.float32))

    def detect(self, image: Pixels) -> Steps:
        """The same: its boxes hold whole bodies as they are."""
        return self.steps(image)


def _fit(image: Pixels, ratio: float, size: int) -> Pixels:
    """The picture in the top left corner of a grey square, as in the authors' `preproc`."""
    height, width = (max(1, int(side * ratio)) for side in image.shape[:2])
    pixels = np.full((size, size, 3), _BORDER, np.uint8)
    pixels[:height, :width] = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    return pixels


def _detect(detections: Floats, size: int, rule: YoloXRule) -> tuple[Floats, Floats]:
    """(P, 4) x1, y1, x2, y2 in the network's pixels, and (P,) scores, best first."""
    scores = detections[:, 4] * detections[:, 5]
    likely = np.flatnonzero(scores >= rule.threshold)
    cells, strides = _grid(size)
    detections, strides = detections[likely], strides[likely, None]
    centres = (detections[:, :2] + cells[likely]) * strides
    half = np.exp(detections[:, 2:4]) * strides / 2
    corners = np.concatenate([centres - half, centres + half], axis=1)
    kept = nms(corners, scores[likely], rule.overlap)[: rule.max_people]
    return corners[kept], scores[likely][kept]


@cache
def _grid(size: int) -> tuple[Floats, Floats]:
    """(A, 2) x, y of the cells of all strides, row by row, and (A,) their strides."""
    sides = [size // stride for stride in _STRIDES]
    cells = [np.mgrid[:side, :side][::-1].reshape(2, -1).T for side in sides]
    strides = np.repeat(_STRIDES, [side * side for side in sides])
    return np.concatenate(cells).astype(np.float32), strides.astype(np.float32)
