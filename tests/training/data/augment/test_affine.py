"""A warped picture and its labels stay together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.data.pictures import ALL, dot, only, person, scene
from training.data.augment.affine import Affine, warp
from training.data.scene import Scene, extent

STILL = Affine(scale=(1, 1), rotation=0, shift=0)


def chance(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def sides(warped: Scene) -> np.ndarray:
    low, high = extent(warped.people[0])
    return high - low


@pytest.mark.parametrize("seed", range(8))
def test_every_keypoint_stays_on_its_dot(seed: int) -> None:
    drawn = scene(only(person(160.5, 120.5, 0.9), "nose", "left_wrist", "right_ankle"))
    keypoints = drawn.people
    keypoints[keypoints[:, :, 2] > 0, :2] = np.floor(keypoints[keypoints[:, :, 2] > 0, :2]) + 0.5
    warped = Affine((192, 160), turned=1)(drawn, chance(seed))
    assert warped.pixels.shape == (160, 192, 3)
    assert warped.size == (192, 160)
    labelled = warped.people[warped.people[:, :, 2] > 0, :2]
    assert len(labelled) == 3
    off = [dot(warped, point, 9) - point for point in labelled]
    assert np.abs(off).max() < 0.3


def test_a_person_fills_their_share_of_the_crop_from_its_centre() -> None:
    drawn = scene(person(100, 110, 0.8))
    warped = STILL(drawn, chance(0))
    assert sides(warped).max() == pytest.approx(0.6 * 192)
    assert np.mean(extent(warped.people[0]), axis=0) == pytest.approx([96, 96], abs=1e-3)


def test_sizes_and_places_are_in_their_ranges() -> None:
    drawn = scene(person(100, 110, 0.8))
    some = [replace(STILL, scale=(0.65, 1.35), shift=0.1)(drawn, chance(i)) for i in range(200)]
    shares = np.array([sides(warped).max() / 192 for warped in some])
    assert 0.39 <= shares.min() < 0.43
    assert 0.77 < shares.max() <= 0.811
    centres = np.array([np.mean(extent(warped.people[0]), axis=0) for warped in some]) - 96
    assert 17 < np.abs(centres).max() <= 19.3


def test_some_are_turned_by_at_most_45_degrees_and_the_others_upright() -> None:
    drawn = scene(only(person(160, 120), "neck", "left_ankle", "right_ankle"))
    angles = []
    for seed in range(200):
        warped = replace(STILL, rotation=45, turned=0.5)(drawn, chance(seed))
        ankles = warped.people[0, 13, :2] - warped.people[0, 10, :2]
        angles.append(np.degrees(np.arctan2(ankles[1], ankles[0])))
    upright = np.abs(angles) < 1e-3
    assert 70 < upright.sum() < 130
    assert -45.1 < min(angles) < -38
    assert 38 < max(angles) < 45.1


def test_somebody_tiny_is_not_blown_up() -> None:
    drawn = scene(person(160, 120, 0.05))
    warped = replace(STILL, max_zoom=2)(drawn, chance(0))
    assert sides(warped) == pytest.approx(2 * np.subtract(*extent(drawn.people[0])[::-1]))


def test_a_picture_of_nobody_fills_the_crop_by_its_shorter_side() -> None:
    drawn = scene(person(0, 0)[:0])
    drawn.pixels[:] = np.arange(320, dtype=np.uint8).clip(0, 255)[None, :, None] // 2
    warped = STILL(drawn, chance(0))
    assert (warped.pixels == 128).all(axis=2).mean() < 0.02  # no border
    columns = warped.pixels[90, :, 0].astype(int)
    assert np.diff(columns)[:150].mean() == pytest.approx(0.5 * 240 / 192, abs=0.05)


def test_keypoints_that_leave_the_picture_are_not_labelled_and_people_who_do_are_dropped() -> None:
    drawn = scene(np.concatenate([person(60, 100), person(160, 100), person(280, 100)]))
    to = np.array([[1, 0, -140.0], [0, 1, -60.0]])
    warped = warp(drawn, to, (40, 56))
    assert len(warped.people) == 1
    x, y = drawn.people[1, :, 0] - 140, drawn.people[1, :, 1] - 60
    stay = (x >= 0) & (x < 40) & (y >= 0) & (y < 56)
    assert 0 < stay.sum() < 18
    assert (warped.people[0, :, 2] > 0).tolist() == stay.tolist()
    assert not warped.people[0, ~stay].any()


def test_the_mask_moves_with_the_picture() -> None:
    drawn = scene(person(160, 120))
    drawn.counts[40:80, 100:140] = 5
    warped = warp(drawn, np.array([[2, 0, -180.0], [0, 2, -60.0]]), (160, 120))
    assert (warped.counts[20:100, 20:100] == 5).all()
    assert (warped.counts == 5).sum() == 80 * 80
    assert (warped.counts[:, 100:] == ALL).all()


def test_beyond_the_picture_is_grey_and_nobody_which_counts_if_anything_does() -> None:
    drawn = scene(person(160, 120))
    to = np.array([[1, 0, 8.0], [0, 1, 0.0]])
    warped = warp(drawn, to, (64, 64))
    assert (warped.pixels[:, :8] == 128).all()
    assert (warped.counts[:, :8] == ALL).all()
    drawn.counts[:] = 0
    assert not warp(drawn, to, (64, 64)).counts.any()


def test_the_scene_itself_is_left_as_it_was() -> None:
    drawn = scene(person(160, 120))
    before = drawn.pixels.copy(), drawn.people.copy()
    Affine()(drawn, chance(1))
    assert (drawn.pixels == before[0]).all()
    assert (drawn.people == before[1]).all()
