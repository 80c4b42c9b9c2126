"""MultiPoseNet's maps to person boxes and keypoint candidates.

M. Kocabas et al., "MultiPoseNet: Fast Multi-Person Pose Estimation using Pose Residual
Network", 2018, as LiMeng95/MultiPoseNet.pytorch does it (`evaluate/tester.py`,
`network/joint_utils.py`). Who owns which candidate is the matter of `person_assignment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from engines.grouping.anchors import anchors
from engines.grouping.anchors import boxes as place_boxes
from engines.grouping.box_nms import nms
from engines.grouping.peaks import among_highest

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

STRIDE = 4  # network-input pixels per heatmap pixel
_RADIUS = 2  # heatmap pixels around a peak that its refinement reads
_SIDE = 2 * _RADIUS + 1
_ENLARGED = _SIDE * STRIDE
_MOST_BOXES = 1000  # before non-maximum suppression, whose work grows with their square


@dataclass(frozen=True, slots=True)
class MultiPoseNetRule:
    """Every constant of the way from maps to people; the defaults are LiMeng95's.

    Attributes:
        peak_threshold: keypoint candidates are higher.
        box_threshold: people score higher.
        overlap: largest intersection over union of two people's boxes.
        reach: a person may own candidates as far outside the box, in its widths and heights.
        max_peaks: of each keypoint, the highest; not a limit of LiMeng95's.
        max_people: the best; not a limit of LiMeng95's.
    """

    peak_threshold: float = 0.1
    box_threshold: float = 0.5
    overlap: float = 0.5
    reach: float = 0.21
    max_peaks: int = 127
    max_people: int = 100


@dataclass(frozen=True, slots=True)
class Candidates:
    """Keypoint candidates, ordered by keypoint, then row by row.

    Attributes:
        part: (n,) channel of the heatmap.
        xy: (n, 2) float32 x, y in pixels of the network's input, where a pixel's centre is
            whole: LiMeng95 finds whole pixels.
        score: (n,) height of the enlarged heatmap there.
    """

    part: Ints
    xy: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.part)

    def inside(self, width: float, height: float) -> Candidates:
        """Those within `width` and `height` of the input's top left corner."""
        kept = (self.xy < [width, height]).all(axis=1)
        return Candidates(self.part[kept], self.xy[kept], self.score[kept])


def find_boxes(
    deltas: Floats, scores: Floats, height: int, width: int, rule: MultiPoseNetRule
) -> tuple[Floats, Floats]:
    """People's boxes of one picture, best first.

    LiMeng95 suppresses boxes above 0.05 and then drops those below 0.5, which suppress none
    of the others: the same boxes are left here.

    Args:
        deltas: (A, 4) of RetinaNet's anchors.
        scores: (A, 1) of a person, 0 to 1.
        height, width: of the network's input in pixels.

    Returns:
        (P, 4) x1, y1, x2, y2 in pixels of the network's input, and (P,) scores.
    """
    scores = scores[:, 0]
    likely = np.flatnonzero(scores > rule.box_threshold)
    likely = likely[np.argsort(-scores[likely], kind="stable")][:_MOST_BOXES]
    boxes = place_boxes(anchors(height, width)[likely], deltas[likely], height, width)
    kept = nms(boxes, scores[likely], rule.overlap, plus_one=True)[: rule.max_people]
    return boxes[kept], scores[likely[kept]]


def find_candidates(heatmaps: Floats, rule: MultiPoseNetRule) -> Candidates:
    """Peaks of (K, h, w) heatmaps: above the threshold, and no lower than their four neighbours.

    Each moves to the highest pixel of its 5x5 surroundings, enlarged by cubic interpolation to
    the network's input: LiMeng95's demonstration. Where its evaluation looks for peaks on the
    whole maps enlarged, this enlarges nothing but peaks. Of equally high neighbours each is a
    peak and they move to the same place; `person_assignment` keeps one in a box.
    """
    part, y, x = np.unravel_index(np.flatnonzero(heatmaps > rule.peak_threshold), heatmaps.shape)
    padded = np.pad(heatmaps, ((0, 0), (_RADIUS,) * 2, (_RADIUS,) * 2), mode="edge")
    row, column = y + _RADIUS, x + _RADIUS
    here = padded[part, row, column]
    peak = here >= padded[part, row - 1, column]
    peak &= here >= padded[part, row + 1, column]
    peak &= here >= padded[part, row, column - 1]
    peak &= here >= padded[part, row, column + 1]
    chosen = np.flatnonzero(peak)
    chosen = chosen[among_highest(part[chosen], here[chosen], rule.max_peaks)]
    return _refine(padded, part[chosen], y[chosen], x[chosen])


def _refine(padded: Floats, part: Ints, y: Ints, x: Ints) -> Candidates:
    """Peaks at heatmap pixels x, y, moved; `padded` are the heatmaps with their surroundings."""
    _, rows, columns = padded.shape
    reach = np.arange(_SIDE)
    around = (reach[:, None] * columns + reach).ravel()
    patches = padded.ravel()[((part * rows + y) * columns + x)[:, None] + around]
    enlarged = patches @ _cubic_weights()
    highest = enlarged.argmax(axis=1)
    moved_y, moved_x = np.divmod(highest, _ENLARGED)
    xy = (np.stack([x, y], axis=1) - _RADIUS) * STRIDE + np.stack([moved_x, moved_y], axis=1)
    # beyond the map's edge, the enlarged map is nowhere higher than on it, but it can be as high
    last = np.array([columns - 2 * _RADIUS, rows - 2 * _RADIUS]) * STRIDE - 1
    score = enlarged[np.arange(len(part)), highest]
    return Candidates(part, xy.clip(0, last).astype(np.float32), score)


@cache
def _cubic_weights() -> Floats:
    """(25, 400): from a 5x5 patch to all of it enlarged, as if there were nothing around it."""
    one = np.eye(_SIDE, dtype=np.float32)
    line = cv2.resize(one, (_SIDE, _ENLARGED), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.kron(line, line).T, np.float32)
