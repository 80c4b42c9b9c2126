"""People drawn on their picture."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from engines.geometry import Pixels
from engines.people import People
from engines.skeletons import Skeleton

_LEAST_SCORE = 0.05
_BOX = (0, 220, 255)  # B, G, R


def draw(image: Pixels, people: People, skeleton: Skeleton) -> Pixels:
    """A copy of `image` (H, W, 3) BGR with the limbs and keypoints of `people` on it.

    Keypoints of next to no score, which some models give in place of missing ones, are left
    out. Of people without keypoints, as a detector gives them, the boxes are drawn.
    """
    drawn = image.copy()
    size = max(1, round(min(image.shape[:2]) / 160))
    if not skeleton.keypoints:
        for box in people.boxes:
            first, last = np.rint([box[:2], box[:2] + box[2:]]).astype(int).tolist()
            cv2.rectangle(drawn, first, last, _BOX, size, cv2.LINE_AA)
    colours = _rainbow(len(skeleton.keypoints))
    for person in people.keypoints:
        points = [(round(float(x)), round(float(y))) for x, y in person[:, :2]]
        found = person[:, 2] > _LEAST_SCORE
        for first, second in skeleton.drawn_limbs:
            if found[first] and found[second]:
                cv2.line(drawn, points[first], points[second], colours[second], size, cv2.LINE_AA)
        for part, point in enumerate(points):
            if found[part]:
                cv2.circle(drawn, point, size + 1, colours[part], cv2.FILLED, cv2.LINE_AA)
    return drawn


def _rainbow(count: int) -> list[tuple[int, int, int]]:
    """So many colours (B, G, R), neighbours alike, first and last apart."""
    colours = [colorsys.hsv_to_rgb(0.85 * index / count, 1, 1) for index in range(count)]
    return [(round(255 * b), round(255 * g), round(255 * r)) for r, g, b in colours]
