"""Only what was found is drawn, and on a copy."""

from __future__ import annotations

import numpy as np
import pytest

from engines.drawing import draw
from engines.people import Floats, People
from engines.skeletons import OPENPOSE_18, SKELETONS, Skeleton

PART = OPENPOSE_18.keypoints.index


def keypoints_at(**found: tuple[float, float]) -> Floats:
    """A person (18, 3) of the named keypoints; the others are missing, so at (0, 0)."""
    points = np.zeros((18, 3), np.float32)
    for name, (x, y) in found.items():
        points[PART(name)] = (x, y, 0.9)
    return points


def people(*persons: Floats) -> People:
    return People.of(np.stack(persons), np.ones(len(persons), np.float32))


def black() -> np.ndarray:
    return np.zeros((200, 300, 3), np.uint8)


def coloured(image: np.ndarray, x: int, y: int) -> bool:
    return bool(image[y, x].any())


def test_the_picture_itself_is_left_alone() -> None:
    image = black()
    drawn = draw(image, people(keypoints_at(nose=(100, 50))), OPENPOSE_18)
    assert coloured(drawn, 100, 50)
    assert not image.any()
    assert drawn.shape == image.shape


def test_keypoints_are_drawn_with_the_limb_between_them() -> None:
    arm = keypoints_at(left_elbow=(100, 50), left_wrist=(200, 150))
    drawn = draw(black(), people(arm), OPENPOSE_18)
    assert all(coloured(drawn, x, y) for x, y in ((100, 50), (200, 150), (150, 100)))


def test_a_limb_with_a_missing_end_is_not_drawn() -> None:
    drawn = draw(black(), people(keypoints_at(left_elbow=(100, 50))), OPENPOSE_18)
    assert coloured(drawn, 100, 50)
    assert not drawn[:20, :20].any(), "a missing keypoint lies at the origin"
    assert not coloured(drawn, 50, 25)


def test_limbs_that_only_close_a_loop_are_not_drawn() -> None:
    ends = keypoints_at(left_shoulder=(100, 50), left_ear=(200, 150))
    assert not coloured(draw(black(), people(ends), OPENPOSE_18), 150, 100)


def test_limbs_do_not_join_different_people() -> None:
    one, other = keypoints_at(left_elbow=(100, 50)), keypoints_at(left_wrist=(200, 150))
    assert not coloured(draw(black(), people(one, other), OPENPOSE_18), 150, 100)


def test_nobody_leaves_the_picture_as_it_was() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 60, 3), np.uint8)
    nobody = People.of(np.zeros((0, 18, 3), np.float32), np.zeros(0, np.float32))
    drawn = draw(image, nobody, OPENPOSE_18)
    np.testing.assert_array_equal(drawn, image)
    assert not np.shares_memory(drawn, image)


def test_keypoints_beyond_the_edge_are_allowed() -> None:
    arm = keypoints_at(left_elbow=(-500, 90.5), left_wrist=(9e5, 90.5))
    assert coloured(draw(black(), people(arm), OPENPOSE_18), 150, 90)


@pytest.mark.parametrize("side", [1, 2, 4000])
def test_pictures_of_any_size_can_be_drawn_on(side: int) -> None:
    image = np.zeros((side, side, 3), np.uint8)
    drawn = draw(image, people(keypoints_at(nose=(side / 2, side / 2))), OPENPOSE_18)
    assert drawn.any()


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda one: one.name)
def test_every_skeleton_can_be_drawn_in_colours_of_its_own(skeleton: Skeleton) -> None:
    count = len(skeleton.keypoints)
    points = np.ones((1, count, 3), np.float32)
    points[0, :, 0] = 10 + 20 * np.arange(count)
    points[0, :, 1] = np.where(np.arange(count) % 2, 20, 180)
    drawn = draw(
        np.zeros((200, 600, 3), np.uint8), People.of(points, np.ones(1, np.float32)), skeleton
    )
    colours = {tuple(drawn[int(y), int(x)].tolist()) for x, y, _ in points[0]}
    assert len(colours) == count
