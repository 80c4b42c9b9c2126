"""The people of one model, found again among those of another.

Those count of whom the first is sure: people with at least half the score of the picture's best,
and of their keypoints those with at least half the score of the person's best. The others come
and go, or jump, with any rounding: in bfloat16 PP-TinyPose loses people and has a mean OKS of
0.95 if all count, 0.98 so, while its AP on COCO stays the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engines.grouping.oks import similarity
from engines.people import Floats, People
from engines.skeletons import Skeleton

Table = npt.NDArray[np.float64]

_MATCHED = 0.5  # two people as similar as this are the same
_SURE = 0.5  # of the best score


def similarities(expected: People, found: People, skeleton: Skeleton) -> Table:
    """(P, Q) object keypoint similarities, or the boxes' intersections over unions where there
    are no keypoints.

    Args:
        expected: of whom P count.
        found: (Q) people, all of whom may be one of those.
        skeleton: of both.
    """
    expected = expected.best(min_score=_SURE * expected.scores.max(initial=0))
    if not skeleton.keypoints:
        return _overlaps(expected.boxes, found.boxes)
    rows = []
    sigmas = np.asarray(skeleton.sigmas)
    places = np.where(found.keypoints[:, :, 2:] > 0, found.keypoints[:, :, :2], np.inf)
    for pose, area in zip(expected.keypoints, expected.boxes[:, 2:].prod(axis=1), strict=True):
        seen = (pose[:, 2] > 0) & (pose[:, 2] >= _SURE * pose[:, 2].max())
        if seen.any():
            areas = np.full(len(found), area)
            rows.append(similarity(pose[seen], area, places[:, seen], areas, sigmas[seen]))
    return np.array(rows, np.float64).reshape(len(rows), len(found))


def _overlaps(boxes: Floats, others: Floats) -> Table:
    """(P, Q) intersections over unions of boxes x, y, width, height."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    ends = boxes[:, :2] + boxes[:, 2:], others[:, :2] + others[:, 2:]
    high = np.minimum(ends[0][:, None], ends[1][None])
    shared = np.clip(high - low, 0, None).prod(axis=2, dtype=np.float64)
    areas = boxes[:, 2:].prod(axis=1)[:, None] + others[:, 2:].prod(axis=1)[None]
    return np.asarray(shared / np.maximum(areas - shared, np.finfo(np.float64).tiny))


def matched(table: Table) -> list[float]:
    """The similarities of people who are the same, the most similar first, each to one."""
    alike = []
    while table.size and (best := table.max()) >= _MATCHED:
        row, column = np.unravel_index(table.argmax(), table.shape)
        table[row], table[:, column] = 0, 0
        alike.append(float(best))
    return alike
