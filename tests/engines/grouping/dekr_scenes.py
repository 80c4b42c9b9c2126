"""DEKR's maps drawn from people, for tests and the benchmark."""

from __future__ import annotations

import numpy as np

from engines.grouping.dekr import STRIDE, Pass
from engines.people import Floats
from engines.skeletons import Skeleton

SIZE = (512, 512)  # width and height of the input
_KEYPOINT, _CENTRE = 2.0, 4.0  # deviations of the peaks in map pixels
_REACH = 4  # map pixels around a centre that know its person


def crowd(count: int, skeleton: Skeleton, size: tuple[int, int] = SIZE, seed: int = 0) -> Floats:
    """(P, K, 2) people of any shape, anywhere on an input of that width and height."""
    rng = np.random.default_rng(seed)
    places = rng.uniform(0.1, 0.9, (count, 1, 2)) * size
    around = rng.normal(0, (15, 30), (count, len(skeleton.keypoints), 2))
    people: Floats = (places + around).astype(np.float32)
    return people


def draw(
    people: Floats,
    skeleton: Skeleton,
    *,
    size: tuple[int, int] = SIZE,
    scale: float = 1.0,
    flip: bool = False,
    noise: float = 0.0,
    seed: int = 0,
) -> Pass:
    """What a network would say of people (P, K, 2) on an input that size at scale 1."""
    width, height = (round(side * scale / STRIDE) for side in size)
    views = [people * (scale / STRIDE)]
    if flip:
        order = np.arange(len(skeleton.keypoints))
        for left, right in skeleton.flip_pairs:
            order[[left, right]] = right, left
        views.append(((width - 1, 0) + views[0] * (-1, 1))[:, order])
    rng = np.random.default_rng(seed)
    drawn = [_draw(view, (height, width), noise, rng) for view in views]
    heatmaps, offsets = (np.stack(maps).astype(np.float32) for maps in zip(*drawn, strict=True))
    return Pass(heatmaps, offsets, scale)


def _draw(
    people: Floats, shape: tuple[int, int], noise: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    keypoints = people.shape[1]
    ys, xs = np.ogrid[: shape[0], : shape[1]]
    heatmaps = rng.normal(0, 0.1 * noise, (keypoints + 1, *shape))
    offsets = rng.normal(0, noise, (keypoints, 2, *shape))
    for person in people:
        centre = person.mean(axis=0)
        for channel, (x, y) in enumerate([*person, centre]):
            deviation = _CENTRE if channel == keypoints else _KEYPOINT
            across = np.exp(-((xs - x) ** 2) / (2 * deviation**2))
            down = np.exp(-((ys - y) ** 2) / (2 * deviation**2))
            heatmaps[channel] = np.maximum(heatmaps[channel], down * across)
        left, top = (max(0, round(float(at)) - _REACH) for at in centre)
        rows, columns = slice(top, top + 2 * _REACH + 1), slice(left, left + 2 * _REACH + 1)
        offsets[:, 0, rows, columns] = xs[:, columns] - person[:, 0].reshape(-1, 1, 1)
        offsets[:, 1, rows, columns] = ys[rows] - person[:, 1].reshape(-1, 1, 1)
    return heatmaps, offsets.reshape(2 * keypoints, *shape)
