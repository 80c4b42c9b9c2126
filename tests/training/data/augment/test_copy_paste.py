"""People in front of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engines.people import Floats
from engines.skeletons import OPENPOSE_18
from tests.training.data.pictures import ALL, dot, only, person, scene
from training.data.augment.affine import Affine
from training.data.augment.copy_paste import CopyPaste, occluded
from training.data.augment.silhouette import silhouette
from training.data.scene import Scene

NAMES = OPENPOSE_18.keypoints


def bright(value: int, people: Floats) -> Scene:
    drawn = scene(people)
    drawn.pixels[:] = value
    return drawn


def pasting(other: Scene, **options: Any) -> CopyPaste:
    return CopyPaste(OPENPOSE_18, lambda _: other, **{"people": 1, **options})


def visibilities(people: Floats) -> list[dict[str, int]]:
    return [{NAMES[part]: int(row[2]) for part, row in enumerate(one) if row[2]} for one in people]


def test_somebody_comes_to_the_others_with_their_own_pixels() -> None:
    drawn, other = bright(50, person(160, 120)), bright(250, person(100, 100, 0.9))
    pasted = pasting(other)(drawn, np.random.default_rng(0))
    assert pasted.pixels.shape == drawn.pixels.shape
    last = pasted.people[-1]
    assert (last[:, 2] > 0).any()
    for x, y, visibility in last:
        if visibility:
            assert pasted.pixels[int(y), int(x), 0] > 200
    assert 0.01 < (pasted.pixels > 200).mean() < 0.3
    assert (drawn.pixels == 50).all()


@pytest.mark.parametrize("seed", range(4))
def test_their_keypoints_are_on_their_dots(seed: int) -> None:
    other = scene(person(160.5, 120.5))
    pasted = pasting(other, spread=0)(bright(60, person(160, 120)), np.random.default_rng(seed))
    for point in pasted.people[-1, [4, 7, 10]]:
        assert dot(pasted, point[:2], 4) == pytest.approx(point[:2], abs=0.6)


def test_they_come_near_somebody_about_as_large() -> None:
    drawn, other = bright(50, person(100, 120, 0.6)), bright(250, person(160, 120, 1.1))
    for seed in range(30):
        pasted = pasting(other, affine=Affine(rotation=0))(drawn, np.random.default_rng(seed))
        last = pasted.people[-1, pasted.people[-1, :, 2] > 0, :2]
        assert np.abs(last.mean(axis=0) - (100, 120)).max() < 120
        assert 0.6 < np.ptp(last, axis=0).max() / (0.6 * 166) < 1.4 or len(last) < 18


def test_labels_count_as_in_their_own_picture_where_they_are() -> None:
    drawn, other = bright(50, person(160, 120)), bright(250, person(100, 100))
    other.counts[:] = 2
    pasted = pasting(other)(drawn, np.random.default_rng(0))
    theirs = pasted.pixels[:, :, 0] > 160
    assert (pasted.counts[theirs] == 2).all()
    assert (pasted.counts[pasted.pixels[:, :, 0] < 140] == ALL).all()


def test_a_hidden_keypoint_stays_known_by_a_limb_to_one_in_sight() -> None:
    """An arm is covered from the wrist to the elbow, and then as far as the shoulder."""
    arm = only(person(160, 120), "left_shoulder", "left_elbow", "left_wrist")
    covered = np.zeros((240, 320), np.bool_)
    covered[95:] = True
    assert visibilities(occluded(arm, covered, OPENPOSE_18)) == [
        {"left_shoulder": 2, "left_elbow": 1}
    ]
    arm[0, NAMES.index("left_shoulder"), 2] = 1
    assert visibilities(occluded(arm, covered, OPENPOSE_18)) == [
        {"left_shoulder": 1, "left_elbow": 1}
    ]
    covered[:] = True
    assert len(occluded(arm, covered, OPENPOSE_18)) == 0


def test_who_is_not_covered_stays() -> None:
    both = np.concatenate([person(80, 120), person(240, 120)])
    covered = np.zeros((240, 320), np.bool_)
    covered[:, 180:] = True
    behind = occluded(both, covered, OPENPOSE_18)
    assert (behind == both[:1]).all()


def test_nobody_to_paste_changes_nothing() -> None:
    drawn = bright(50, person(160, 120))
    assert pasting(bright(250, person(0, 0)[:0]))(drawn, np.random.default_rng(0)) is drawn


def test_into_a_picture_of_nobody_they_come_anywhere() -> None:
    drawn, other = bright(50, person(0, 0)[:0]), bright(250, person(160, 120))
    some = [pasting(other)(drawn, np.random.default_rng(seed)) for seed in range(20)]
    centres = [one.people[0, one.people[0, :, 2] > 0, 0].mean() for one in some if len(one.people)]
    assert np.ptp(centres) > 150


def test_no_more_are_pasted_than_asked_for() -> None:
    drawn, other = bright(50, person(0, 0)[:0]), bright(250, person(160, 120, 0.3))
    counts = {
        len(pasting(other, people=3)(drawn, np.random.default_rng(seed)).people)
        for seed in range(30)
    }
    assert max(counts) == 3
    assert 1 in counts


def test_a_silhouette_has_limbs_torso_and_head_and_a_soft_edge() -> None:
    whole = silhouette(person(160, 120)[0], OPENPOSE_18, (320, 240))
    assert whole[110, 160] == whole[48, 160] == whole[190, 172] == 255  # torso, face, shin
    assert whole[190, 120] == whole[20, 160] == 0
    assert ((whole > 20) & (whole < 235)).sum() > 500


def test_the_head_is_above_the_shoulders_where_faces_are_not_annotated() -> None:
    faceless = person(160, 120)
    faceless[:, [0, 14, 15, 16, 17]] = 0
    mask = silhouette(faceless[0], OPENPOSE_18, (320, 240))
    assert mask[45, 160] == 255
    assert mask[10, 160] == 0


@pytest.mark.parametrize("names", [("nose",), ("left_hip", "left_knee"), ("left_shoulder",)])
def test_little_of_somebody_has_a_silhouette(names: tuple[str, ...]) -> None:
    few = only(person(160, 120), *names)
    mask = silhouette(few[0], OPENPOSE_18, (320, 240))
    assert mask.max() == (0 if names == ("left_shoulder",) else 255) or names == ("nose",)
