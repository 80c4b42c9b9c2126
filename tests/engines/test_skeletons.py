"""The tables of every skeleton agree with each other."""

from __future__ import annotations

import numpy as np
import pytest

from engines.skeletons import COCO_17, OPENPOSE_18, SKELETONS, Skeleton

every_skeleton = pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda one: one.name)

# COCO's keypoint order as its annotation files list it, in "categories".
COCO_NAMES = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)


def mirrored(name: str) -> str:
    swapped = name.replace("left_", "?").replace("right_", "left_")
    return swapped.replace("?", "right_")


@every_skeleton
def test_keypoints_have_names_of_their_own_and_a_sigma_each(skeleton: Skeleton) -> None:
    assert len(set(skeleton.keypoints)) == len(skeleton.keypoints) == len(skeleton.sigmas)
    assert all(sigma > 0 for sigma in skeleton.sigmas)


@every_skeleton
def test_flip_pairs_are_the_left_and_right_of_the_same_part(skeleton: Skeleton) -> None:
    pairs = {frozenset(skeleton.keypoints[part] for part in pair) for pair in skeleton.flip_pairs}
    assert len(pairs) == len(skeleton.flip_pairs)
    sided = (name for name in skeleton.keypoints if mirrored(name) != name)
    assert pairs == {frozenset((name, mirrored(name))) for name in sided}


@every_skeleton
def test_a_mirrored_picture_shows_the_other_side(skeleton: Skeleton) -> None:
    names = skeleton.keypoints
    assert [names[part] for part in skeleton.mirrored] == [mirrored(name) for name in names]


@every_skeleton
def test_a_mirrored_picture_has_the_same_sigmas(skeleton: Skeleton) -> None:
    for first, second in skeleton.flip_pairs:
        assert skeleton.sigmas[first] == skeleton.sigmas[second]


@every_skeleton
def test_limbs_are_different_pairs_that_mirror_onto_each_other(skeleton: Skeleton) -> None:
    names = skeleton.keypoints
    limbs = {frozenset((names[first], names[second])) for first, second in skeleton.limbs}
    assert len(limbs) == len(skeleton.limbs)
    assert all(len(limb) == 2 for limb in limbs)
    assert limbs == {frozenset(map(mirrored, limb)) for limb in limbs}


@every_skeleton
def test_drawn_limbs_reach_every_keypoint(skeleton: Skeleton) -> None:
    reached = {part for limb in skeleton.drawn_limbs for part in limb}
    assert reached == set(range(len(skeleton.keypoints)))


@every_skeleton
def test_every_limb_has_two_field_channels_or_none_has(skeleton: Skeleton) -> None:
    channels = sorted(np.ravel(skeleton.fields).astype(int).tolist())
    assert channels in ([], list(range(2 * len(skeleton.limbs))))
    assert all(y == x + 1 for x, y in skeleton.fields)


@every_skeleton
def test_the_coco_order_is_that_of_coco_by_name_where_all_of_it_is_had(skeleton: Skeleton) -> None:
    complete = set(COCO_NAMES) <= set(skeleton.keypoints)
    order = tuple(skeleton.keypoints[part] for part in skeleton.coco)
    assert order == (COCO_NAMES if complete else ())


def test_openpose_18_without_its_loops_is_a_tree() -> None:
    assert len(OPENPOSE_18.drawn_limbs) == len(OPENPOSE_18.keypoints) - 1
    assert [
        tuple(OPENPOSE_18.keypoints[part] for part in limb)
        for limb in OPENPOSE_18.limbs[-OPENPOSE_18.loops :]
    ] == [("right_shoulder", "right_ear"), ("left_shoulder", "left_ear")]


def test_openpose_18_shares_cocos_sigmas() -> None:
    shared = tuple(OPENPOSE_18.sigmas[part] for part in OPENPOSE_18.coco)
    assert shared == COCO_17.sigmas


def test_openpose_18_is_cocos_keypoints_and_a_neck() -> None:
    assert set(OPENPOSE_18.keypoints) - set(COCO_NAMES) == {"neck"}
