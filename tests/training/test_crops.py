"""Crops are of whole cells, and a piece of another one comes with its maps."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

from training.crops import Crop, Rectangle, cropped, patched, rectangle
from training.kept import Kept

CELLS = np.arange(36, dtype=np.uint8).reshape(1, 6, 6, 1)  # every cell has its number
KEPT = Kept(np.repeat(np.repeat(CELLS, 8, 1), 8, 2).repeat(3, 3), CELLS, 1)


def plain(value: int) -> Crop:
    return Crop(np.full((32, 32, 3), value, np.uint8), np.full((4, 4, 1), value, np.uint8))


def test_a_crop_has_the_maps_of_its_cells() -> None:
    seen = set()
    for seed in range(50):
        picture, maps = cropped(KEPT, 0, 32, np.random.default_rng(seed))
        assert picture.shape == (32, 32, 3)
        assert maps.shape == (4, 4, 1)
        assert np.array_equal(picture[::8, ::8, :1], maps)
        assert np.array_equal(picture[7::8, 7::8, :1], maps)
        seen.add(int(maps[0, 0, 0]))
    assert seen == {0, 1, 2, 6, 7, 8, 12, 13, 14}, "crops come from everywhere"


def test_a_rectangle_lies_inside_and_is_neither_small_nor_all() -> None:
    for seed in range(50):
        rows, columns = rectangle(12, np.random.default_rng(seed), 1.0)
        for side in (rows, columns):
            assert 0 <= side.start < side.stop <= 12
            assert 3 <= side.stop - side.start <= 9


def test_a_rectangle_is_there_as_often_as_asked() -> None:
    made = [rectangle(12, np.random.default_rng(seed), 0.3) for seed in range(300)]
    there = [rows.stop > rows.start for rows, _ in made]
    assert np.mean(there) == pytest.approx(0.3, abs=0.06)


def test_a_patched_crop_is_another_inside_the_rectangle() -> None:
    crop, other = plain(1), plain(2)

    picture, maps = patched(crop, other, Rectangle(slice(1, 3), slice(0, 2)))

    assert (picture[8:24, :16] == 2).all()
    assert (maps[1:3, :2] == 2).all()
    assert (picture == 2).sum() == 16 * 16 * 3
    assert (maps == 2).sum() == 4
    assert (crop.picture == 1).all()
    assert (other.maps == 2).all()
