"""People cut in half."""

from __future__ import annotations

import numpy as np
import pytest

from engines.skeletons import OPENPOSE_18
from tests.training.data.pictures import dot, only, person, scene
from training.data.augment.half_body import HalfBody

HALF = HalfBody(OPENPOSE_18)
LEGS = {
    part
    for part, name in enumerate(OPENPOSE_18.keypoints)
    if name.endswith(("hip", "knee", "ankle"))
}


@pytest.mark.parametrize("seed", range(6))
def test_one_half_is_whole_and_the_end_of_the_other_is_cut_off(seed: int) -> None:
    cut = HALF(scene(person(160.5, 120.5)), np.random.default_rng(seed))
    left = set(np.flatnonzero(cut.people[0, :, 2]).tolist())
    assert (left >= LEGS) != (left >= set(range(18)) - LEGS)
    assert cut.pixels.shape[:2] == cut.counts.shape
    assert cut.counts.size < 240 * 320 / 3


def test_both_halves_come_about() -> None:
    some = [HALF(scene(person(160, 120)), np.random.default_rng(seed)) for seed in range(20)]
    ankles = [bool(cut.people[0, 10, 2]) for cut in some]
    assert 3 < sum(ankles) < 17


def test_keypoints_stay_on_their_dots() -> None:
    drawn = scene(person(160.5, 120.5, 1.0))
    cut = HALF(drawn, np.random.default_rng(0))
    wrist_or_knee = cut.people[0, [4, 9]]
    (point,) = wrist_or_knee[wrist_or_knee[:, 2] > 0][:1]
    assert dot(cut, point[:2], 3) == pytest.approx(point[:2])


def test_nobody_is_cut_of_whom_little_is_known() -> None:
    for few in (
        only(person(160, 120), "nose", "neck", "left_hip", "left_knee"),
        person(160, 120)[:0],
    ):
        drawn = scene(few)
        assert HALF(drawn, np.random.default_rng(0)) is drawn


def test_a_half_without_enough_keypoints_is_not_cut_out() -> None:
    upper = person(160, 120)
    upper[:, sorted(LEGS)] = 0
    drawn = scene(upper)
    sizes = {HALF(drawn, np.random.default_rng(seed)).counts.size for seed in range(10)}
    assert len(sizes) == 2
    assert drawn.counts.size in sizes
