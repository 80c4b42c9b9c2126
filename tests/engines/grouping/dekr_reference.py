"""DEKR's decoding as its paper and code describe it: whole maps, and loops over people.

It shares nothing with `engines.grouping.dekr`: every map is mirrored, averaged and enlarged,
every pixel gets a pose.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from engines.grouping.dekr import DekrRule, Pass
from engines.skeletons import Skeleton

_STRIDE = 4


def decode(
    passes: Sequence[Pass], skeleton: Skeleton, rule: DekrRule
) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (P, K, 3) in pixels of the input of scale 1, and scores (P,)."""
    total: np.ndarray | None = None
    everyone: list[list[tuple[np.ndarray, float]]] = []
    scales = sorted((one.scale for one in passes), reverse=True)
    for scale in scales:
        (one,) = (candidate for candidate in passes if candidate.scale == scale)
        heatmaps, poses = _average(one, skeleton)
        enlarged = enlarge(heatmaps, round(_STRIDE / scale))
        total = enlarged if total is None else total + enlarged
        everyone.append(_people_of(heatmaps[-1], poses, scale, rule))
    assert total is not None
    _fit_scores(everyone, scales, rule)
    found = [one for people in everyone for one in people]
    return _finish(found, total / len(passes), passes, rule)


def enlarge(heatmaps: np.ndarray, times: int) -> np.ndarray:
    """(K + 1, h, w) `times` as large: map pixel i becomes pixel i * times."""
    _, height, width = heatmaps.shape
    affine = np.array([[1 / times, 0, 0], [0, 1 / times, 0]])
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (width * times, height * times)
    return np.stack(
        [cv2.warpAffine(one, affine, size, None, how, cv2.BORDER_REPLICATE) for one in heatmaps]
    )


def _average(one: Pass, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """(K + 1, h, w) heatmaps and (h, w, K, 2) poses in map pixels, both over the flip test."""
    heatmaps, poses = one.heatmaps[0], _poses(one.offsets[0])
    if len(one.heatmaps) == 1:
        return heatmaps, poses
    order = list(range(len(skeleton.keypoints)))
    for left, right in skeleton.flip_pairs:
        order[left], order[right] = right, left
    flipped = one.heatmaps[1][[*order, len(order)], :, ::-1]
    other = _poses(one.offsets[1])[:, :, order]
    other[..., 0] = heatmaps.shape[2] - 1 - other[..., 0]
    return (heatmaps + flipped) / 2, (poses + other[:, ::-1]) / 2


def _poses(offsets: np.ndarray) -> np.ndarray:
    channels, height, width = offsets.shape
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    moved = offsets.transpose(1, 2, 0).reshape(height, width, channels // 2, 2)
    poses: np.ndarray = np.stack([xs, ys], axis=-1)[:, :, None] - moved
    return poses


def _people_of(
    centre: np.ndarray, poses: np.ndarray, scale: float, rule: DekrRule
) -> list[tuple[np.ndarray, float]]:
    height, width = centre.shape
    radius = (7 if (height + width) / 2 > 300 else 5 if (height + width) / 2 > 200 else 3) // 2
    around = np.pad(centre, radius, constant_values=-np.inf)
    highest = centre
    for y in range(2 * radius + 1):
        for x in range(2 * radius + 1):
            highest = np.maximum(highest, around[y : y + height, x : x + width])
    found = []
    for y, x in np.argwhere(centre == highest):
        if centre[y, x] > rule.threshold:
            found.append((poses[y, x] * np.float32(_STRIDE / scale), float(centre[y, x])))
    return sorted(found, key=lambda one: -one[1])[: rule.max_people]


def _fit_scores(
    everyone: list[list[tuple[np.ndarray, float]]], scales: list[float], rule: DekrRule
) -> None:
    own = everyone[scales.index(1.0)]
    best = max((score for _, score in own), default=1.0)
    for index, people in enumerate(everyone):
        if scales[index] != 1:
            top = max((score for _, score in people), default=1.0)
            everyone[index] = [(p, s / top * best * rule.decrease) for p, s in people]


def _finish(
    people: list[tuple[np.ndarray, float]], heat: np.ndarray, passes: Sequence[Pass], rule: DekrRule
) -> tuple[np.ndarray, np.ndarray]:
    count = len(heat) - 1
    _, height, width = heat.shape
    values = np.zeros((len(people), count))
    for i, (pose, _) in enumerate(people):
        for k, (x, y) in enumerate(pose):
            row = min(max(int(np.floor(y)), 0), height - 1)
            column = min(max(int(np.floor(x)), 0), width - 1)
            values[i, k] = heat[k, row, column]
    near = rule.near if len(passes) == 1 else rule.near_over_scales
    kept = _suppress([pose for pose, _ in people], values.mean(axis=1), near, rule.shared)
    kept = sorted(kept, key=lambda i: -values[i].mean())[: rule.max_people]
    keypoints = np.array(
        [np.column_stack([people[i][0], people[i][1] * values[i]]) for i in kept]
    ).reshape(-1, count, 3)
    return keypoints, keypoints[:, :, 2].mean(axis=1)


def _suppress(poses: list[np.ndarray], heat: np.ndarray, near: float, shared: int) -> list[int]:
    ignored: set[int] = set()
    kept = []
    for i, pose in enumerate(poses):
        if i in ignored:
            continue
        sides = pose.max(axis=0) - pose.min(axis=0)
        reach = near * np.sqrt((sides**2).sum())
        group = [
            j
            for j, other in enumerate(poses)
            if sum(np.sqrt(((pose - other) ** 2).sum(axis=1)) < reach) > shared
        ]
        best = max(group, key=lambda j: heat[j])
        if best not in ignored:
            kept.append(best)
            ignored |= set(group)
    return kept
