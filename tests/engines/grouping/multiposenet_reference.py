"""LiMeng95's way from heatmaps and boxes to people, written plainly to compare with.

Follows the steps of `evaluate/tester.py`: candidate by candidate and box by box, whole grids
blurred a keypoint at a time, and tables of scores sorted row by row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from engines.people import Floats

ROWS, COLUMNS, PARTS = 56, 36, 17
Candidate = tuple[float, float, float]  # x, y, score
Corners = Sequence[float]  # x1, y1, x2, y2

_STRIDE = 4
_LEAST_HEAT = 0.1
_REACH = 0.21
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


def find_candidates(heatmaps: Floats) -> list[list[Candidate]]:
    """The candidates of each heatmap."""
    return [_peaks(heat) for heat in heatmaps]


def _peaks(heat: Floats) -> list[Candidate]:
    height, width = heat.shape
    highest = cv2.dilate(heat, _CROSS)
    peaks = []
    for y, x in np.argwhere((heat == highest) & (heat > _LEAST_HEAT)).tolist():
        top, left = max(0, y - 2), max(0, x - 2)
        patch = heat[top : min(height, y + 3), left : min(width, x + 3)]
        larger = cv2.resize(patch, None, fx=_STRIDE, fy=_STRIDE, interpolation=cv2.INTER_CUBIC)
        row, column = np.unravel_index(larger.argmax(), larger.shape)
        at_x, at_y = left * _STRIDE + int(column), top * _STRIDE + int(row)
        peaks.append((float(at_x), float(at_y), float(larger[row, column])))
    return peaks


def marks(candidates: list[list[Candidate]], boxes: Sequence[Corners]) -> np.ndarray:
    """(P, 56, 36, 17): 1 + number of the keypoint's candidate that lies there, else 0."""
    grids = np.zeros((len(boxes), ROWS, COLUMNS, PARTS), int)
    for part, places in enumerate(candidates):
        for number, (x, y, _) in enumerate(places):
            for person, box in enumerate(boxes):
                cell = _cell(x, y, box)
                if cell is not None:
                    grids[(person, *cell, part)] = 1 + number
    return grids


def _cell(x: float, y: float, box: Corners) -> tuple[int, int] | None:
    left, top, width, height = box[0], box[1], box[2] - box[0], box[3] - box[1]
    if not left - width * _REACH < x < left + width * (1 + _REACH):
        return None
    if not top - height * _REACH < y < top + height * (1 + _REACH):
        return None
    column = int((x - left) * COLUMNS / math.ceil(width))
    row = int((y - top) * ROWS / math.ceil(height))
    if column >= COLUMNS or row >= ROWS:  # and a negative one counts from the far end
        return min(row, ROWS - 1), min(column, COLUMNS - 1)
    return max(row, 0), max(column, 0)


def prn_inputs(marked: np.ndarray) -> Floats:
    """Grids with a Gaussian wherever a candidate lies, blurred one keypoint at a time."""
    grids = np.zeros(marked.shape)
    for person in range(len(marked)):
        for part in range(PARTS):
            grids[person, :, :, part] = _blur(marked[person, :, :, part] > 0)
    return grids.astype(np.float32)


def _blur(points: np.ndarray) -> np.ndarray:
    kernel = np.exp(-(np.arange(-4.0, 5.0) ** 2) / 2)
    kernel /= kernel.sum()
    for axis, size in enumerate((ROWS, COLUMNS)):
        padded = np.pad(points, [(4, 4) if axis == one else (0, 0) for one in (0, 1)], mode="edge")
        shifted = [padded.take(np.arange(size) + step, axis) for step in range(9)]
        points = np.sum([weight * one for weight, one in zip(kernel, shifted, strict=True)], axis=0)
    return points


def assign(
    outputs: Floats,
    marked: np.ndarray,
    candidates: list[list[Candidate]],
    boxes: Sequence[Corners],
) -> np.ndarray:
    """(P, 17, 3) x, y and 1 for a candidate or 0 for a guess or nothing."""
    people = np.zeros((len(boxes), PARTS, 3))
    for part in range(PARTS):
        if not marked[:, :, :, part].any():
            _guess(people, outputs, marked, boxes)
            continue
        table, numbers = _table(outputs[:, :, :, part], marked[:, :, :, part])
        for person, row in enumerate(table):
            for number in np.argsort(-row).tolist():
                if row[number] <= 0:
                    break
                fondest = int(np.argsort(-table[:, number])[0])
                if person == fondest or np.argsort(table[fondest])[0] == number:
                    people[person, part] = *candidates[part][numbers[number]][:2], 1
                    break
    return people


def _table(outputs: Floats, marked: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """(P, n) what each box's output sums to around the n candidates in any box, and which."""
    numbers = sorted(set(marked[marked > 0].tolist()))
    table = np.zeros((len(outputs), len(numbers)))
    for person, row, column in np.argwhere(marked > 0).tolist():
        crop = outputs[person, max(0, row - 7) : row + 8, max(0, column - 7) : column + 8]
        table[person, numbers.index(marked[person, row, column])] = crop.sum()
    return table, [number - 1 for number in numbers]


def _guess(
    people: np.ndarray, outputs: Floats, marked: np.ndarray, boxes: Sequence[Corners]
) -> None:
    for person, box in enumerate(boxes):
        width, height = math.ceil(box[2] - box[0]), math.ceil(box[3] - box[1])
        for part in range(PARTS):
            if not marked[person, :, :, part].any():
                output = outputs[person, :, :, part]
                row, column = np.unravel_index(output.argmax(), output.shape)
                x, y = box[0] + column * width / COLUMNS, box[1] + row * height / ROWS
                people[person, part] = x, y, 0
