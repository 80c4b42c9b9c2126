"""The people of one image, as a struct of arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# Width and height of a body's box as multiples of those of its keypoints' box: of a dozen pairs
# the one with which boxes of lightweight-openpose-int8 gave pp-tinypose-256x192 the best AP.
_BODY = np.array([1.2, 1.1], np.float32)


@dataclass(frozen=True, slots=True)
class People:
    """The people of one image, best score first, or in the order of boxes that were asked for.

    Attributes:
        keypoints: (P, K, 3) float32 x, y, score in pixels of the image as displayed, from
            its top left corner, as COCO counts. A missing keypoint is (0, 0, 0).
        scores: (P,) float32, 0 to 1.
        boxes: (P, 4) float32 x, y, width, height.
    """

    keypoints: Floats
    scores: Floats
    boxes: Floats

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, keypoints: Floats, scores: Floats) -> People:
        """People with the box that holds their keypoints, ordered by score."""
        order = np.argsort(-scores, kind="stable")
        keypoints, scores = keypoints[order], scores[order]
        return cls(keypoints, scores, _boxes(keypoints))

    @classmethod
    def at(cls, boxes: Sequence[Sequence[float]] | Floats) -> People:
        """People of whom only the boxes (P, 4) are known, each with score 1, in that order."""
        array = np.asarray(boxes, np.float32).reshape(-1, 4)
        count = len(array)
        return cls(np.zeros((count, 0, 3), np.float32), np.ones(count, np.float32), array)

    def best(self, max_people: int | None = None, min_score: float = 0.0) -> People:
        """Those with at least `min_score`, the best `max_people` of them, in the same order."""
        kept = np.flatnonzero(self.scores >= min_score)
        if max_people is not None:
            best = np.argsort(-self.scores[kept], kind="stable")[:max_people]
            kept = kept[np.sort(best)]
        return People(self.keypoints[kept], self.scores[kept], self.boxes[kept])

    def body_boxes(self) -> Floats:
        """(P, 4) boxes that hold the whole bodies, by those around the keypoints.

        Keypoints end at ankles, wrists and eyes: a body reaches further.
        """
        corners, sides = np.split(self.boxes, 2, axis=1)
        grown = sides * _BODY
        return np.concatenate([corners - (grown - sides) / 2, grown], axis=1)


def _boxes(keypoints: Floats) -> Floats:
    found = keypoints[:, :, 2:] > 0
    points = keypoints[:, :, :2]
    low = np.where(found, points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(found, points, -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate([low, high - low], axis=1).astype(np.float32)
    boxes[~found.any(axis=(1, 2))] = 0
    return boxes
