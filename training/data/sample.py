"""A picture that is not yet read, and its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from faster_coco_eval.core import mask

from engines.geometry import Floats, Pixels
from engines.skeletons import Skeleton
from training.data.scene import Bits, Scene, inside

Source = Callable[[np.random.Generator], Scene]
"""Where augmentations find other scenes."""

_PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture of a data set.

    Attributes:
        path: of the picture.
        people: (P, K, 3) float32 as in `Scene`, who have any keypoint.
        boxes: (P, 4) float32 x, y, width, height.
        areas: (P,) float32 pixels that a person takes.
        annotated: bit k is set if the data set annotates keypoint k.
        everyone: whether all people are labelled. Otherwise labels count inside the boxes of
            those who are, and there only for the keypoints that they have.
        masked: places where no label counts, run-length encoded as COCO does.
        size: width and height that the labels are for; None where nothing is labelled.
    """

    path: Path
    people: Floats
    boxes: Floats
    areas: Floats
    annotated: int = 0
    everyone: bool = True
    masked: dict[str, Any] | None = None
    size: tuple[int, int] | None = None

    def scene(self) -> Scene:
        """Reads the picture.

        Raises:
            OSError: it is missing. ValueError: it cannot be decoded, or has another size than
                the labels are for.
        """
        pixels = _decode(self.path)
        height, width = pixels.shape[:2]
        if self.size not in {None, (width, height)}:
            raise ValueError(
                f"{self.path} is {width} x {height}, but was annotated at {self.size}: use the "
                "pictures that the annotations are for"
            )
        return Scene(pixels, inside(self.people, width, height), self._counts(width, height))

    def _counts(self, width: int, height: int) -> Bits:
        counts = np.full((height, width), self.annotated if self.everyone else 0, np.int32)
        if not self.everyone:
            for (x, y, w, h), person in zip(self.boxes, self.people, strict=True):
                left, top = max(0, int(x)), max(0, int(y))
                labelled = np.flatnonzero(person[:, 2] > 0)
                counts[top : int(y + h) + 1, left : int(x + w) + 1] |= (1 << labelled).sum()
        if self.masked is not None:
            counts[mask.decode(self.masked) > 0] = 0
        return counts


def pictures(folder: Path, skeleton: Skeleton) -> list[Sample]:
    """Every picture in a folder and below it, in the order of their names, without labels.

    Raises:
        ValueError: there is none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _PICTURES)
    if not paths:
        raise ValueError(f"{folder} has no pictures: name a folder with {', '.join(_PICTURES)}")
    nobody = np.zeros((0, len(skeleton.keypoints), 3), np.float32)
    none = np.zeros((0, 4), np.float32)
    return [Sample(path, nobody, none, none[:, 0]) for path in paths]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A source that reads any of these samples, each as likely as the other."""

    samples: Sequence[Sample]

    def __call__(self, rng: np.random.Generator) -> Scene:
        return self.samples[int(rng.integers(len(self.samples)))].scene()


def _decode(path: Path) -> Pixels:
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(f"{path} is not a picture that can be read: mend it, or take it out")
    return np.asarray(pixels, np.uint8)
