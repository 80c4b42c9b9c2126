"""The grouping that Lightweight OpenPose describes, written plainly to compare with.

Follows the authors' demonstration step by step: every map is enlarged four times by cubic
interpolation, peaks are found on the whole of the enlarged maps, and limbs are joined one
kind after the other. Only the scores of a limb's pairs are computed together, as theirs are.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engines.skeletons import Skeleton

Floats = npt.NDArray[np.float32]
Peak = tuple[int, int, float, int]  # x, y, score, running number

_UPSAMPLE = 4
_LEAST_HEAT = 0.1
_NEAREST = 6
_POINTS = 10
_LEAST_FIELD = 0.05


@dataclass
class Person:
    """Candidates by keypoint, and the sum of the scores of keypoints and limbs."""

    parts: dict[int, int]
    score: float
    count: int


def enlarge(maps: Floats) -> Floats:
    """(C, h, w) as (4h, 4w, C)."""
    return np.asarray(
        cv2.resize(
            maps.transpose(1, 2, 0),
            None,
            fx=_UPSAMPLE,
            fy=_UPSAMPLE,
            interpolation=cv2.INTER_CUBIC,
        ),
        np.float32,
    )


def group(heatmaps: Floats, fields: Floats, skeleton: Skeleton) -> tuple[list[Person], list[Peak]]:
    """People and candidates of (K + 1, h, w) heatmaps and (C, h, w) fields."""
    heat, field = enlarge(heatmaps), enlarge(fields)
    peaks: list[list[Peak]] = []
    for part in range(len(skeleton.keypoints)):
        peaks.append(find_peaks(heat[:, :, part], sum(map(len, peaks))))
    everything = [peak for of_part in peaks for peak in of_part]
    people: list[Person] = []
    for limb, (first, second) in enumerate(skeleton.limbs):
        found = connect(peaks[first], peaks[second], field[:, :, list(skeleton.fields[limb])])
        closing = limb >= len(skeleton.limbs) - skeleton.loops
        for a, b, score in found:
            ends = (first, a), (second, b)
            if closing:
                _complete(people, *ends)
            else:
                _attach(people, *ends, score, everything)
    kept = [p for p in people if p.count >= 3 and p.score / p.count >= 0.2]
    return kept, everything


def find_peaks(heat: Floats, number: int) -> list[Peak]:
    """Peaks of one enlarged heatmap, from left to right, thinned out."""
    heat = np.where(heat < _LEAST_HEAT, np.float32(0), heat)
    around = np.pad(heat, 1)
    is_peak = (
        (heat > around[1:-1, 2:])
        & (heat > around[1:-1, :-2])
        & (heat > around[2:, 1:-1])
        & (heat > around[:-2, 1:-1])
    )
    ys, xs = np.nonzero(is_peak)
    places = sorted(zip(xs.tolist(), ys.tolist(), strict=True), key=lambda place: place[0])
    dropped = [False] * len(places)
    peaks: list[Peak] = []
    for i, (x, y) in enumerate(places):
        if dropped[i]:
            continue
        for j in range(i + 1, len(places)):
            if np.hypot(x - places[j][0], y - places[j][1]) < _NEAREST:
                dropped[j] = True
        peaks.append((x, y, float(heat[y, x]), number + len(peaks)))
    return peaks


def connect(firsts: list[Peak], seconds: list[Peak], field: Floats) -> list[tuple[int, int, float]]:
    """One kind of limb: pairs of running numbers and scores, each candidate used once."""
    if not firsts or not seconds:
        return []
    a = np.array([peak[:2] for peak in firsts], np.float64)
    b = np.array([peak[:2] for peak in seconds], np.float64)
    line = (b[:, None] - a[None]).reshape(-1, 1, 2)
    start = np.broadcast_to(a[None], (len(b), len(a), 2)).reshape(-1, 1, 2)
    points = np.rint(start + line * np.arange(_POINTS).reshape(1, -1, 1) / (_POINTS - 1))
    x, y = points.astype(np.int32)[..., 0].ravel(), points.astype(np.int32)[..., 1].ravel()
    unit = line / (np.linalg.norm(line, axis=-1, keepdims=True) + 1e-6)
    along = (field[y, x].reshape(-1, _POINTS, 2) * unit).sum(axis=-1)
    counts = along > _LEAST_FIELD
    score = (along * counts).sum(axis=1) / (counts.sum(axis=1) + 1e-6)
    passed = np.flatnonzero((score > 0) & (counts.mean(axis=1) > 0.8))
    taken: set[int] = set()
    found = []
    for pair in sorted(passed.tolist(), key=lambda pair: -score[pair]):
        of_b, of_a = divmod(pair, len(firsts))
        one, other = firsts[of_a][3], seconds[of_b][3]
        if one not in taken and other not in taken:
            taken |= {one, other}
            found.append((one, other, float(score[pair])))
    return found


def _attach(
    people: list[Person],
    first: tuple[int, int],
    second: tuple[int, int],
    score: float,
    peaks: list[Peak],
) -> None:
    (part_a, a), (part_b, b) = first, second
    owners = [person for person in people if person.parts.get(part_a) == a]
    for person in owners:
        person.parts[part_b] = b
        person.count += 1
        person.score += peaks[b][2] + score
    if not owners:
        people.append(Person({part_a: a, part_b: b}, peaks[a][2] + peaks[b][2] + score, 2))


def _complete(people: list[Person], first: tuple[int, int], second: tuple[int, int]) -> None:
    for person in people:
        for (part, candidate), (other, missing) in ((first, second), (second, first)):
            if person.parts.get(part) == candidate and other not in person.parts:
                person.parts[other] = missing
