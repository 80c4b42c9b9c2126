"""Four scenes in one."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest

from tests.training.data.pictures import ALL, dot, only, person, scene
from training.data.augment.affine import Affine
from training.data.augment.mosaic import Mosaic
from training.data.scene import Scene


def numbered(number: int, value: int) -> Scene:
    drawn = scene(only(person(160.5, 120.5), "neck", "left_knee", "right_knee"))
    drawn.pixels[:] = np.where(drawn.pixels == 255, 255, value)
    drawn.counts[:] = number
    return drawn


def mosaic(seed: int, size: tuple[int, int] = (200, 160)) -> Scene:
    numbers = count(2)
    others = lambda _: numbered(next(numbers), 20)  # noqa: E731
    return Mosaic(others, Affine(size, rotation=0, shift=0.05))(
        numbered(1, 20), np.random.default_rng(seed)
    )


@pytest.mark.parametrize("seed", range(4))
def test_every_scene_is_in_a_piece_of_its_own(seed: int) -> None:
    made = mosaic(seed)
    assert made.pixels.shape == (160, 200, 3)
    assert made.size == (200, 160)
    assert {1, 2, 3, 4} <= set(np.unique(made.counts).tolist()) <= {1, 2, 3, 4, ALL}
    centres = made.people[:, :, :2].sum(axis=1) / (made.people[:, :, 2:] > 0).sum(axis=1)
    numbers = [made.counts[int(y), int(x)] for x, y in centres]
    assert sorted(numbers) == [1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(4))
def test_keypoints_stay_on_their_dots(seed: int) -> None:
    made = mosaic(seed, (384, 384))
    points = made.people[made.people[:, :, 2] > 0, :2]
    assert len(points) == 12
    off = [dot(made, point, 4) - point for point in points]
    assert np.abs(off).max() < 0.6


def test_the_scenes_change_places() -> None:
    corners = {int(mosaic(seed).counts[40, 50]) for seed in range(30)}
    assert {1, 2, 3, 4} <= corners


def test_the_pieces_meet_somewhere_in_the_middle() -> None:
    rng = np.random.default_rng(0)
    full = Affine((200, 160), rotation=0, fill=5, max_zoom=50)
    meet = []
    for _ in range(20):
        numbers = count(2)
        others = lambda _, numbers=numbers: numbered(next(numbers), 20)  # noqa: E731
        made = Mosaic(others, full)(numbered(1, 20), rng)
        meet.append(np.flatnonzero(np.diff(made.counts[0]))[0] + 1)
    assert 0.35 * 200 - 1 <= min(meet) < 0.45 * 200
    assert 0.55 * 200 < max(meet) <= 0.65 * 200 + 1
