"""People from near are upright and reach beyond the crop."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from engines.skeletons import OPENPOSE_18
from tests.training.data.pictures import dot, only, person, scene
from training.data.augment.affine import warp
from training.data.augment.portrait import Portrait, trunks
from training.data.scene import Scene

PARTS = OPENPOSE_18.keypoints
SHOULDERS = [PARTS.index("left_shoulder"), PARTS.index("right_shoulder")]


def untouched(drawn: Scene, _: np.random.Generator) -> Scene:
    return drawn


NEAR = Portrait(OPENPOSE_18, untouched)


def chance(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def turned(drawn: Scene, degrees: float) -> Scene:
    """Around the middle of the picture, with place for all of it."""
    angle = math.radians(degrees)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    middle = np.array(drawn.size) / 2
    return warp(drawn, np.column_stack([turn, 200 - turn @ middle]), (400, 400))


def between(near: Scene, joint: str) -> np.ndarray:
    both = [PARTS.index(f"{side}_{joint}") for side in ("left", "right")]
    return np.asarray(near.people[0, both, :2].mean(axis=0))


@pytest.mark.parametrize("degrees", [0, 70, 180, 250])
def test_people_are_upright_whichever_way_they_were(degrees: float) -> None:
    lying = turned(scene(person(160, 120, 0.6)), degrees)
    near = replace(NEAR, rotation=0, sides=(3, 3), shift=0)(lying, chance(0))
    shoulders, hips = between(near, "shoulder"), between(near, "hip")
    assert shoulders[0] == pytest.approx(hips[0], abs=0.5)
    assert hips[1] - shoulders[1] > 192 / 4


def test_crops_are_from_one_to_several_trunks_wide_and_have_room_for_a_head() -> None:
    drawn = scene(person(160, 120, 0.8))
    (trunk,) = trunks(drawn.people, OPENPOSE_18)
    length = float(np.hypot(*trunk.down))
    some = [replace(NEAR, rotation=0)(drawn, chance(seed)) for seed in range(100)]
    shoulders = np.array([between(near, "shoulder") for near in some])
    widths = [np.ptp(near.people[0, SHOULDERS, 0]) for near in some]
    zooms = np.array(widths) / np.ptp(drawn.people[0, SHOULDERS, 0])
    sides = 192 / (zooms * length)
    above = shoulders[:, 1] / (zooms * length)
    assert 1.39 < sides.min() < 1.6
    assert 3.2 < sides.max() < 3.61
    assert 0.39 < above.min() < 0.5
    assert 0.9 < above.max() < 1.01


@pytest.mark.parametrize("seed", range(4))
def test_keypoints_stay_on_their_dots(seed: int) -> None:
    drawn = scene(only(person(160.5, 120.5, 0.9), "nose", "left_shoulder", "right_shoulder"))
    drawn.people[0, :, :2] = np.where(
        drawn.people[0, :, 2:] > 0, np.floor(drawn.people[0, :, :2]) + 0.5, 0
    )
    near = replace(NEAR, sides=(2.5, 2.5))(drawn, chance(seed))
    labelled = near.people[near.people[:, :, 2] > 0, :2]
    assert len(labelled) >= 2
    assert max(np.abs(dot(near, point, 12) - point).max() for point in labelled) < 0.6


def test_without_hips_shoulders_say_how_large_somebody_is_and_the_picture_what_is_down() -> None:
    (trunk,) = trunks(only(person(160, 120), "left_shoulder", "right_shoulder"), OPENPOSE_18)
    both = person(160, 120)[0, SHOULDERS, :2]
    assert trunk.down == pytest.approx([0, 1.3 * np.hypot(*(both[0] - both[1]))])
    assert trunk.shoulders == pytest.approx(both.mean(axis=0))


def test_a_trunk_that_points_at_the_viewer_is_as_long_as_its_shoulders_say() -> None:
    bent = person(160, 120)
    hips = [PARTS.index("left_hip"), PARTS.index("right_hip")]
    bent[0, hips] = bent[0, SHOULDERS]
    (trunk,) = trunks(bent, OPENPOSE_18)
    assert trunk.down[0] == 0
    assert trunk.down[1] == pytest.approx(1.3 * np.ptp(bent[0, SHOULDERS, 0]), rel=0.1)


@pytest.mark.parametrize(
    "people",
    [
        only(person(160, 120), "left_shoulder", "nose", "left_hip"),
        person(160, 120, 0.02),
        person(160, 120)[:0],
    ],
    ids=["one shoulder", "tiny", "nobody"],
)
def test_others_are_left_to_another_augmentation(people: np.ndarray) -> None:
    drawn = scene(people)
    assert NEAR(drawn, chance(0)) is drawn
