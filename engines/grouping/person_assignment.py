"""Keypoint candidates to the people whose boxes they lie in, by a Pose Residual Network.

M. Kocabas et al., "MultiPoseNet: Fast Multi-Person Pose Estimation using Pose Residual
Network", 2018, as LiMeng95/MultiPoseNet.pytorch does it (`prn_process` in
`evaluate/tester.py`), without its loops. The network's own product lies between
`prn_inputs` and `assign`, so that it can run wherever networks run.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from engines.grouping.multiposenet import Candidates

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

GRID = ROWS, COLUMNS, PARTS = 56, 36, 17  # the Pose Residual Network's input
_KERNEL = 9, 9  # cells of a Gaussian of deviation 1 that scikit-image does not cut off
_CROP = 15, 15  # cells of the output that speak for a candidate in their middle


@dataclass(frozen=True, slots=True)
class Placed:
    """Where candidates lie in boxes, ordered by box; one candidate of a keypoint a cell.

    Attributes:
        box, candidate: (n,) indices.
        part: (n,) the candidate's keypoint.
        row, column: (n,) cell of the box's grid.
    """

    box: Ints
    candidate: Ints
    part: Ints
    row: Ints
    column: Ints

    def __len__(self) -> int:
        return len(self.box)


def place(candidates: Candidates, boxes: Floats, reach: float) -> Placed:
    """The candidates inside each box enlarged by `reach` of its sides, all around.

    A candidate outside the box itself goes to the nearest cell; but above and to the right of
    it, or below and to the left, LiMeng95's code counts the row, or the column, from the far
    end, and so does this. Of candidates in one cell the last one stays.

    Args:
        candidates: of 17 keypoints.
        boxes: (P, 4) x1, y1, x2, y2.
        reach: in widths and heights of the box.
    """
    x1, y1, x2, y2 = boxes.astype(np.float64).T[..., None]
    width, height = x2 - x1, y2 - y1
    x, y = candidates.xy.astype(np.float64).T
    inside = (x > x1 - reach * width) & (x < x1 + (1 + reach) * width)
    inside &= (y > y1 - reach * height) & (y < y1 + (1 + reach) * height)
    box, candidate = np.nonzero(inside)
    part = candidates.part[candidate]
    column = _cell(x[candidate] - x1[box, 0], width[box, 0], COLUMNS)
    row = _cell(y[candidate] - y1[box, 0], height[box, 0], ROWS)
    right, below = column >= COLUMNS, row >= ROWS
    column = np.where(below & (column < 0), column + COLUMNS, column.clip(0, COLUMNS - 1))
    row = np.where(right & (row < 0), row + ROWS, row.clip(0, ROWS - 1))

    cell = np.ravel_multi_index((box, row, column, part), (len(boxes), *GRID))
    _, last = np.unique(cell[::-1], return_index=True)
    kept = len(cell) - 1 - last
    return Placed(box[kept], candidate[kept], part[kept], row[kept], column[kept])


def prn_inputs(placed: Placed, people: int) -> Floats:
    """(P, 56, 36, 17) float32 grids: a Gaussian, of sum 1, where a candidate lies."""
    grids = np.zeros((people, *GRID), np.float32)
    grids[placed.box, placed.row, placed.column, placed.part] = 1
    for grid in grids:
        cv2.GaussianBlur(grid, _KERNEL, 1, dst=grid, borderType=cv2.BORDER_REPLICATE)
    return grids


def assign(
    outputs: Floats, placed: Placed, candidates: Candidates, boxes: Floats
) -> tuple[Floats, Floats]:
    """The keypoints of each box's person.

    A person takes the candidate that the network likes best among those that no other box
    likes better, or that the box which likes it best likes least. If some keypoint has
    no candidate in any box, people get a guess for each keypoint without candidates in
    theirs: the highest cell of the network's output.

    Args:
        outputs: (P, 56, 36, 17) the network's, for `prn_inputs(placed, P)`.
        placed: of these candidates in these boxes.
        candidates: of 17 keypoints.
        boxes: (P, 4) x1, y1, x2, y2.

    Returns:
        keypoints (P, 17, 3) x, y and the candidate's score: 0 for a guess, (0, 0, 0) for a
        missing one; and scores (P,), the share of the keypoints found.
    """
    members = _members(_liking(outputs, placed, len(candidates)), candidates.part)
    found = members >= 0
    keypoints = np.zeros((*members.shape, 3), np.float32)
    keypoints[found, :2] = candidates.xy[members[found]]
    keypoints[found, 2] = candidates.score[members[found]]

    guessed = np.ones(members.shape, np.bool_)
    guessed[placed.box, placed.part] = False
    if guessed.all(axis=0).any():
        keypoints[guessed, :2] = _guesses(outputs, boxes, *np.nonzero(guessed))
    return keypoints, found.mean(axis=1, dtype=np.float32)


def _cell(distance: Doubles, side: Doubles, cells: int) -> Ints:
    """Of places so far from the box's left or upper side; rounded towards it."""
    return (distance * (cells / np.ceil(side))).astype(np.intp)


def _liking(outputs: Floats, placed: Placed, candidates: int) -> Floats:
    """(P, n): what the network's output sums to around each candidate, 0 outside the box."""
    liking = np.zeros((len(outputs), candidates), np.float32)
    for box, output in enumerate(outputs):
        ours = placed.box == box
        sums = cv2.boxFilter(output, -1, _CROP, normalize=False, borderType=cv2.BORDER_CONSTANT)
        cells = placed.row[ours], placed.column[ours], placed.part[ours]
        liking[box, placed.candidate[ours]] = sums[cells]
    return liking


def _members(liking: Floats, part: Ints) -> Ints:
    """(P, 17): index of the candidate of each person's keypoint, -1 for a missing one."""
    people = np.arange(len(liking))
    members = np.full((len(people), PARTS), -1)
    placed = np.flatnonzero(liking.any(axis=0))
    ends = np.searchsorted(part[placed], np.arange(PARTS + 1))
    for one, (start, end) in enumerate(pairwise(ends)):
        if start == end:
            continue
        table = liking[:, placed[start:end]]
        fondest = table.argmax(axis=0)
        free = fondest == people[:, None]
        free |= table.argmin(axis=1)[fondest] == np.arange(end - start)
        liked = np.where(free, table, 0)
        found = liked.any(axis=1)
        members[found, one] = placed[start + liked[found].argmax(axis=1)]
    return members


def _guesses(outputs: Floats, boxes: Floats, person: Ints, part: Ints) -> Floats:
    """(g, 2) x, y of the highest cell of each output of a person's keypoint."""
    highest = outputs[person, :, :, part].reshape(len(person), -1).argmax(axis=1)
    row, column = np.divmod(highest, COLUMNS)
    corners = boxes[person].astype(np.float64)
    cells = np.ceil(corners[:, 2:] - corners[:, :2]) / [COLUMNS, ROWS]
    guesses = corners[:, :2] + np.stack([column, row], axis=1) * cells
    return guesses.astype(np.float32)
