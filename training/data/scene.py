"""A picture with its people, as augmentations and targets see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engines.geometry import Floats, Pixels

Bits = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture and what is known of the people in it.

    Attributes:
        pixels: (H, W, 3) uint8 BGR.
        people: (P, K, 3) float32 x, y, visibility: 2 visible, 1 hidden, 0 not labelled (and x
            and y are 0). As COCO counts: (0, 0) is the picture's corner, and the centre of a
            pixel ends in .5.
        counts: (H, W) int32, where labels may teach: bit k is set where everybody's keypoint k
            is labelled, if it is to be seen there. 0 in crowds, in people without labels, and all
            over a picture that nobody has labelled. A set of keypoints, because data sets differ
            in what they annotate and a mosaic has pieces of several.
    """

    pixels: Pixels
    people: Floats
    counts: Bits

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.counts.shape
        return width, height

    def crop(self, left: int, top: int, right: int, bottom: int) -> Scene:
        """What is between those pixels, without copying them."""
        part = np.s_[top:bottom, left:right]
        people = inside(moved(self.people, -left, -top), right - left, bottom - top)
        return Scene(self.pixels[part], people, self.counts[part])


def everything(keypoints: int) -> int:
    """The bits of a place where all keypoints count."""
    return (1 << keypoints) - 1


def moved(people: Floats, x: float, y: float) -> Floats:
    """People (P, K, 3) shifted; what is not labelled stays 0."""
    shift = np.array([x, y, 0], np.float32)
    shifted: Floats = np.where(people[:, :, 2:] > 0, people + shift, 0).astype(np.float32)
    return shifted


def inside(people: Floats, width: int, height: int) -> Floats:
    """Those of the people (P, K, 3) who have keypoints inside a picture, with these alone."""
    x, y, visibility = np.moveaxis(people, 2, 0)
    kept = (visibility > 0) & (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return labelled(np.where(kept[:, :, None], people, np.float32(0)))


def labelled(people: Floats) -> Floats:
    """Those of the people (P, K, 3) who have any keypoint."""
    return people[people[:, :, 2].any(axis=1)]


def extent(person: Floats) -> tuple[Floats, Floats]:
    """Least and greatest x, y of the labelled keypoints of a person (K, 3), who has some."""
    points = person[person[:, 2] > 0, :2]
    return points.min(axis=0), points.max(axis=0)
