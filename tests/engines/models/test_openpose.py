"""OpenPose's steps, driven by hand with drawn maps."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

import numpy as np
import pytest

from engines.geometry import Pixels
from engines.grouping.openpose import OpenPoseRule
from engines.models.openpose import OpenPose, prepare
from engines.people import People
from engines.skeletons import BODY_25, MPI_15
from tests.engines.grouping.scenes import draw_maps, standing
from tests.engines.grouping.test_openpose import LEG_AND_FOOT

HEIGHT = 368


def picture(width: int, height: int) -> Pixels:
    return np.random.default_rng(0).integers(1, 256, (height, width, 3), np.uint8)


def drive(
    model: OpenPose, image: Pixels, people: list[Mapping[int, tuple[float, float]]]
) -> People:
    """The model's answer to maps of those people, in pixels of the network's input."""
    steps = model.steps(image)
    infer = next(steps)
    assert infer.network == model.network
    _, height, width, _ = infer.inputs.shape
    heatmaps, fields = draw_maps(people, model.skeleton, height // 8, width // 8)
    with pytest.raises(StopIteration) as stopped:
        steps.send({"heatmaps": heatmaps[None], "fields": fields[None]})
    answer: People = stopped.value.value
    return answer


@pytest.mark.parametrize(
    ("image", "network"),
    [
        ((640, 480), (496, 368)),  # 490.7 pixels are 30.67 times 16
        ((1280, 720), (656, 368)),
        ((480, 640), (272, 368)),
        ((200, 100), (736, 368)),
        ((1600, 100), (1472, 368)),  # no wider than four heights
        ((65_000, 20), (1472, 368)),
        ((20, 65_000), (16, 368)),
        ((1, 1), (368, 368)),
    ],
)
def test_the_input_is_as_high_as_asked_and_a_multiple_of_16_wide(
    image: tuple[int, int], network: tuple[int, int]
) -> None:
    pixels, scale = prepare(picture(*image), HEIGHT)
    assert pixels.shape == (network[1], network[0], 3)
    assert max(scale * (image[0] - 1) - network[0], scale * (image[1] - 1) - network[1]) < -0.99


def test_a_height_between_multiples_of_16_is_rounded_up() -> None:
    assert prepare(picture(300, 300), 250)[0].shape == (256, 256, 3)


def test_a_picture_of_the_network_s_size_is_its_input() -> None:
    image = picture(656, 368)
    pixels, scale = prepare(image, HEIGHT)
    assert scale == 1
    assert np.array_equal(pixels, image)


def test_the_picture_lies_at_the_top_left_and_the_rest_is_black() -> None:
    image = np.full((480, 640, 3), 200, np.uint8)
    pixels, scale = prepare(image, HEIGHT)
    edge = int(639 * scale)
    assert (pixels[:, :edge] == 200).all()
    assert not pixels[:, edge + 2 :].any()
    assert edge + 2 < pixels.shape[1]


@pytest.mark.parametrize("size", [(1000, 750), (656, 368), (300, 200), (3000, 100)])
def test_a_spot_of_the_picture_is_found_again_from_the_input(size: tuple[int, int]) -> None:
    x, y = 0.6 * size[0], 0.5 * size[1]
    across, down = np.arange(size[0]) + 0.5 - x, np.arange(size[1])[:, None] + 0.5 - y
    light = 255 * np.exp(-(across**2 + down**2) / (2 * (0.05 * size[1]) ** 2))
    image = np.repeat(light.astype(np.uint8)[:, :, None], 3, axis=2)

    pixels, scale = prepare(image, HEIGHT)

    weights = pixels[:, :, 0] / pixels[:, :, 0].sum(dtype=float)
    spot = np.arange(pixels.shape[1]) @ weights.sum(axis=0), np.arange(HEIGHT) @ weights.sum(axis=1)
    assert np.array(spot) / scale + 0.5 == pytest.approx((x, y), abs=0.1 / min(scale, 1))


@pytest.mark.parametrize("size", [(1000, 750), (300, 200), (3000, 100)])
def test_keypoints_are_in_pixels_of_the_picture_from_its_corner(size: tuple[int, int]) -> None:
    drawn = standing(BODY_25, 200.3, 180.1, only=BODY_25.keypoints[:18])
    people = drive(OpenPose(BODY_25, HEIGHT, "openpose-body25"), picture(*size), [drawn])
    _, scale = prepare(picture(*size), HEIGHT)
    expected = np.array([drawn[part] for part in range(18)]) / scale + 0.5
    assert people.keypoints[0, :18, :2] == pytest.approx(expected, abs=1 / scale)
    assert not people.keypoints[0, 18:].any()
    assert 0 < people.scores[0] <= 1


def test_the_skeleton_s_own_rule_is_taken_unless_another_is_given() -> None:
    leg = standing(BODY_25, 400.3, 180.1, only=LEG_AND_FOOT)
    person = standing(BODY_25, 120.3, 180.1)
    image = picture(656, 368)
    strict = OpenPose(BODY_25, HEIGHT)
    lenient = OpenPose(BODY_25, HEIGHT, rule=OpenPoseRule())
    assert len(drive(strict, image, [person, leg])) == 1
    assert len(drive(lenient, image, [person, leg])) == 2


def test_a_picture_without_people_has_none() -> None:
    people = drive(OpenPose(MPI_15, HEIGHT), picture(656, 368), [])
    assert len(people) == 0
    assert people.keypoints.shape == (0, 15, 3)


def test_the_photograph_is_not_kept_while_its_input_waits() -> None:
    image = picture(1000, 750)
    seen = weakref.ref(image)
    steps = OpenPose(MPI_15, HEIGHT).steps(image)
    asked = next(steps)
    del image
    assert seen() is None
    assert asked.inputs.shape == (1, 368, 496, 3)
