"""People against drawn people, as the fixtures' README scores the originals'."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engines.people import Floats
from engines.skeletons import COCO_17

_LEAST_OKS = 0.75
_LEAST_VISIBLE = 5
_AREA = 0.53  # of the box of a person's visible points


def match(truth: npt.NDArray[np.float64], people: Floats) -> tuple[int, int]:
    """How many of the drawn people were matched one to one, and how many people matched nobody.

    Args:
        truth: (T, 17, 3) COCO keypoints x, y, visible.
        people: (P, 17, 3) COCO keypoints x, y, score in the same pixels.
    """
    drawn = [person for person in truth if (person[:, 2] > 0).sum() >= _LEAST_VISIBLE]
    table = np.array([[similarity(one, other) for other in people] for one in drawn])
    table = table.reshape(len(drawn), len(people))
    matched = 0
    while table.size and table.max() >= _LEAST_OKS:
        row, column = np.unravel_index(table.argmax(), table.shape)
        table[row], table[:, column] = 0, 0
        matched += 1
    return matched, len(people) - matched


def similarity(drawn: npt.NDArray[np.float64], person: Floats) -> float:
    """Object keypoint similarity over the visible points; a missing keypoint counts 0."""
    seen = drawn[:, 2] > 0
    width, height = np.ptp(drawn[seen, :2], axis=0)
    variance = (2 * np.asarray(COCO_17.sigmas)[seen]) ** 2
    squared = ((drawn[seen, :2] - person[seen, :2]) ** 2).sum(axis=1)
    near = np.exp(-squared / (2 * _AREA * width * height * variance))
    return float((near * (person[seen, 2] > 0)).mean())
