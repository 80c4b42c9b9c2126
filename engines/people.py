"""The people of one image, as a struct of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class People:
    """The people of one image, best score first.

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

    def best(self, max_people: int | None = None, min_score: float = 0.0) -> People:
        """Those with at least `min_score`, at most `max_people` of them."""
        count = int(np.count_nonzero(self.scores >= min_score))
        kept = slice(count if max_people is None else min(count, max_people))
        return People(self.keypoints[kept], self.scores[kept], self.boxes[kept])


def _boxes(keypoints: Floats) -> Floats:
    found = keypoints[:, :, 2:] > 0
    points = keypoints[:, :, :2]
    low = np.where(found, points, np.inf).min(axis=1, initial=np.inf)
    high = np.where(found, points, -np.inf).max(axis=1, initial=-np.inf)
    boxes = np.concatenate([low, high - low], axis=1).astype(np.float32)
    boxes[~found.any(axis=(1, 2))] = 0
    return boxes
