"""Rotation, scale and crop, in one warp."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engines.geometry import Floats
from training.data.scene import Scene, everything, extent, inside

Matrix = npt.NDArray[np.float64]

_GREY = 128  # as around the pictures that a network is given later
_LEAST_KEYPOINTS = 3  # that tell how large a person is


@dataclass(frozen=True, slots=True)
class Affine:
    """Somebody, or a place in a picture of nobody, brought to a size in a crop.

    The yardstick is the longer side of the box around a person's labelled keypoints; of a
    picture without people, its shorter side, which then fills the crop. Pixels are interpolated
    linearly, without a filter before reducing them: as the input of a network is made later.

    Attributes:
        size: width and height of the crop.
        rotation: at most, in degrees, to either side.
        turned: how often there is any; the others stay upright, as most people are.
        scale: least and greatest factor on the size.
        fill: of the crop's shorter side, the share that a person takes at scale 1.
        shift: of the crop's shorter side, how far from the centre a person may be.
        max_zoom: crop pixels for a picture's pixel, at most.
    """

    size: tuple[int, int] = (192, 192)
    rotation: float = 45.0
    turned: float = 0.6
    scale: tuple[float, float] = (0.65, 1.35)
    fill: float = 0.6
    shift: float = 0.15
    max_zoom: float = 4.0

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        person = anyone(scene.people, rng)
        matrix = self.of_picture(scene, rng) if person is None else self.of_person(person, rng)
        return warp(scene, matrix, self.size)

    def of_person(self, person: Floats, rng: np.random.Generator) -> Matrix:
        """Brings a person (K, 3) near the crop's centre: (2, 3), for coordinates as COCO's."""
        low, high = extent(person)
        zoom = self.fill * min(self.size) / max(1.0, float((high - low).max()))
        at = np.array(self.size) / 2 + rng.uniform(-self.shift, self.shift, 2) * min(self.size)
        return self._turned(zoom, (low + high) / 2, at, rng)

    def of_picture(self, scene: Scene, rng: np.random.Generator) -> Matrix:
        """Brings some place of a picture to the crop's centre, inside of it if that is possible."""
        sides = np.array(scene.size, float)
        zoom = min(self.size) / sides.min()
        reach = np.minimum(np.array(self.size) / zoom, sides) / 2
        return self._turned(zoom, rng.uniform(reach, sides - reach), np.array(self.size) / 2, rng)

    def _turned(
        self, zoom: float, centre: npt.ArrayLike, at: Matrix, rng: np.random.Generator
    ) -> Matrix:
        zoom = min(zoom * rng.uniform(*self.scale), self.max_zoom)
        angle = math.radians(rng.uniform(-self.rotation, self.rotation))
        angle *= rng.random() < self.turned
        cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
        turn = np.array([[cos, sin], [-sin, cos]])
        return np.column_stack([turn, at - turn @ np.asarray(centre, float)])


def anyone(people: Floats, rng: np.random.Generator) -> Floats | None:
    """Any (K, 3) of the people of whom enough is labelled to say how large they are."""
    known = np.flatnonzero((people[:, :, 2] > 0).sum(axis=1) >= _LEAST_KEYPOINTS)
    return people[rng.choice(known)] if len(known) else None


def warp(scene: Scene, matrix: Matrix, size: tuple[int, int]) -> Scene:
    """A scene through a (2, 3) matrix of x, y as COCO counts.

    What lies beyond the picture becomes grey. Nobody is there, which counts if anything does.
    """
    on_centres = matrix.copy()  # OpenCV counts from pixels' centres
    on_centres[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    beyond = everything(scene.people.shape[1]) if scene.counts.any() else 0
    pixels = cv2.warpAffine(
        scene.pixels, on_centres, size, flags=cv2.INTER_LINEAR, borderValue=(_GREY,) * 3
    )
    counts = cv2.warpAffine(
        scene.counts, on_centres, size, flags=cv2.INTER_NEAREST, borderValue=(beyond,)
    )
    people = scene.people.copy()
    people[:, :, :2] = scene.people[:, :, :2] @ matrix[:, :2].T + matrix[:, 2]
    return Scene(np.asarray(pixels, np.uint8), inside(people, *size), np.asarray(counts, np.int32))
