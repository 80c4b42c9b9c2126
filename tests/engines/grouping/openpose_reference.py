"""OpenPose's grouping, written plainly to compare with.

Follows the GPU path of the authors' C++ code step by step: every map is enlarged eight times
by cubic interpolation, and peaks, pairs and people are gone through one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from engines.grouping.openpose import OpenPoseRule
from engines.people import Floats
from engines.skeletons import Skeleton

_STRIDE = 8
Peak = tuple[float, float, float]  # x, y from the map's top left corner, score


@dataclass
class Person:
    """Index of the candidate of each keypoint, and the sum of the scores of all and limbs."""

    parts: dict[int, int]
    score: float


def enlarge(maps: Floats) -> Floats:
    """(C, h, w) as (C, 8h, 8w)."""
    size = maps.shape[2] * _STRIDE, maps.shape[1] * _STRIDE
    return np.stack([cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in maps])


def group(
    heatmaps: Floats, fields: Floats, skeleton: Skeleton, rule: OpenPoseRule
) -> tuple[list[Person], list[list[Peak]]]:
    """People and the candidates of each keypoint."""
    heat, field = enlarge(heatmaps[: len(skeleton.keypoints)]), enlarge(fields)
    peaks = [find_peaks(one, rule.peak_threshold) for one in heat]
    pairs = []
    for limb, (ends, channels) in enumerate(zip(skeleton.limbs, skeleton.fields, strict=True)):
        maps = field[list(channels)]
        for a, first in enumerate(peaks[ends[0]]):
            for b, second in enumerate(peaks[ends[1]]):
                score = connect(first, second, maps, rule)
                if score > 1e-6:
                    pairs.append((score + 0.1 * (first[2] + second[2]), score, limb, a, b))
    people: list[Person] = []
    for _, score, limb, a, b in sorted(pairs, reverse=True):
        part_a, part_b = skeleton.limbs[limb]
        height_a, height_b = peaks[part_a][a][2], peaks[part_b][b][2]
        _attach(people, (part_a, a, height_a), (part_b, b, height_b), score)
    return _real(people, rule, rule.people.feet), peaks


def find_peaks(heat: Floats, threshold: float) -> list[Peak]:
    """Peaks of one enlarged heatmap, row by row, at most 127."""
    peaks = []
    for y, x in (np.argwhere(heat[1:-1, 1:-1] > threshold) + 1).tolist():
        if (heat[y - 1 : y + 2, x - 1 : x + 2] >= heat[y, x]).sum() == 1:  # itself
            peaks.append((*_centroid(heat, x, y), float(heat[y, x])))
    return peaks[:127]


def _centroid(heat: Floats, x: int, y: int) -> tuple[float, float]:
    total = sum_x = sum_y = 0.0
    for row in range(max(y - 3, 0), min(y + 4, heat.shape[0])):
        for column in range(max(x - 3, 0), min(x + 4, heat.shape[1])):
            value = max(float(heat[row, column]), 0)
            total, sum_x, sum_y = total + value, sum_x + column * value, sum_y + row * value
    return sum_x / total + 0.5, sum_y / total + 0.5


def connect(first: Peak, second: Peak, field: Floats, rule: OpenPoseRule) -> float:
    """What a limb's two enlarged maps say of two candidates; 0 is nothing."""
    height, width = field.shape[1:]
    start = np.array(first[:2], np.float32)
    line = np.array(second[:2], np.float32) - start
    length = float(np.hypot(line[0], line[1]))
    if length <= 1e-6:
        return 0
    samples = max(5, min(25, int(np.sqrt(5 * np.abs(line).max()) + 0.5)))
    values = []
    for index in range(samples):
        point = start + np.float32(index) * (line / np.float32(samples))
        x, y = min(width - 1, int(point[0] + 0.5)), min(height - 1, int(point[1] + 0.5))
        values.append(float(field[:, y, x] @ line) / length)
    counted = [value for value in values if value > rule.field_threshold]
    if len(counted) / samples > rule.min_ratio:
        return sum(counted) / len(counted)
    return rule.peak_threshold + 1e-6 if length < np.sqrt(width * height) / 150 else 0


def _attach(
    people: list[Person],
    first: tuple[int, int, float],
    second: tuple[int, int, float],
    score: float,
) -> None:
    """One limb, by part, index and height of its ends, in OpenPose's five cases."""
    one, other = _owner(people, *first), _owner(people, *second)
    if one is None and other is None:
        parts = {first[0]: first[1], second[0]: second[1]}
        people.append(Person(parts, first[2] + second[2] + score))
    elif one is None or other is None:
        owner, (part, index, height) = (one, second) if one is not None else (other, first)
        assert owner is not None
        if part not in owner.parts:
            owner.parts[part] = index
            owner.score += height + score
    elif one is other:
        one.score += score
    elif one.parts.keys().isdisjoint(other.parts):
        one.parts |= other.parts
        one.score += other.score + score
        people[:] = [person for person in people if person is not other]


def _owner(people: list[Person], part: int, index: int, _: float) -> Person | None:
    return next((person for person in people if person.parts.get(part) == index), None)


def _real(people: list[Person], rule: OpenPoseRule, feet: tuple[int, ...]) -> list[Person]:
    real = []
    for person in people:
        counted = len([part for part in person.parts if part not in feet])
        if counted < len(person.parts) and counted <= 4:
            continue
        if counted >= rule.people.min_parts and person.score / counted >= rule.people.min_score:
            real.append(person)
    return real if real or not feet else _real(people, rule, ())
