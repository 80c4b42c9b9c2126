"""Heatmaps of crops to keypoints."""

from __future__ import annotations

import numpy as np
import pytest

from engines.grouping.top_down import average_flipped, decode
from engines.people import Floats
from engines.skeletons import COCO_17
from tests.engines.grouping import top_down_reference as reference

HEIGHT, WIDTH = 64, 48
both_ways = pytest.mark.parametrize("dark", [False, True])


def peak(x: float, y: float, height: float = 1.0) -> Floats:
    """(1, 1, 64, 48): a Gaussian of two pixels."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    heat = height * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return np.asarray(heat[None, None], np.float32)


def noise(seed: int, people: int = 3, parts: int = 17) -> Floats:
    return np.random.default_rng(seed).normal(size=(people, parts, HEIGHT, WIDTH)).astype("f4")


def noisy_peaks() -> Floats:
    """Peaks everywhere, many of them at or over the border."""
    rng = np.random.default_rng(4)
    places = rng.uniform(-2, [WIDTH + 2, HEIGHT + 2], (120, 2))
    heat = np.concatenate([peak(x, y) for x, y in places]).reshape(10, 12, HEIGHT, WIDTH)
    return np.asarray(heat + rng.normal(0, 0.02, heat.shape), np.float32)


def test_a_keypoint_is_a_quarter_of_a_pixel_from_the_highest_towards_the_next() -> None:
    assert decode(peak(20.3, 30.4)).ravel()[:2].tolist() == [20.25, 30.25]
    assert decode(peak(19.7, 30.4)).ravel()[:2].tolist() == [19.75, 30.25]


def test_dark_finds_where_between_the_pixels_the_peak_is() -> None:
    assert decode(peak(20.31, 29.64), dark=True).ravel()[:2] == pytest.approx(
        (20.31, 29.64), abs=0.01
    )


@both_ways
def test_the_score_is_the_height_of_the_highest_pixel(dark: bool) -> None:
    assert decode(peak(20, 30, 0.7), dark).ravel()[2] == pytest.approx(0.7)


@both_ways
@pytest.mark.parametrize("heat", [0.0, -0.5, np.nan])
def test_where_nothing_is_above_0_the_place_is_0(heat: float, dark: bool) -> None:
    keypoints = decode(np.full((1, 2, HEIGHT, WIDTH), heat, np.float32), dark)
    assert keypoints[:, :, :2].tolist() == [[[0, 0], [0, 0]]]
    assert not (keypoints[:, :, 2] > 0).any()


def test_of_equally_high_pixels_the_first_is_the_keypoint() -> None:
    heat = peak(10, 40) + peak(30, 20)
    assert decode(heat).ravel()[:2] == pytest.approx((30, 20))


@pytest.mark.parametrize("heatmaps", [noisy_peaks(), noise(1), noisy_peaks()[:, :, :40, :40]])
def test_keypoints_are_those_that_plain_loops_find(heatmaps: Floats) -> None:
    np.testing.assert_array_equal(decode(heatmaps), reference.decode(heatmaps))


def test_dark_keypoints_are_those_that_plain_loops_find() -> None:
    heatmaps = noisy_peaks()
    plain = reference.decode(heatmaps, dark=True)
    near = np.abs(plain - reference.decode(heatmaps))[:, :, :2].max(axis=2) < 1
    assert near.mean() > 0.95
    assert decode(heatmaps, dark=True)[near] == pytest.approx(plain[near], abs=2e-3)


def test_dark_sends_no_keypoint_further_than_it_looks() -> None:
    heatmaps = noise(2)
    plain, dark = decode(heatmaps), decode(heatmaps, dark=True)
    assert np.isfinite(dark).all()
    assert np.abs(plain - dark)[:, :, :2].max() <= 2.25
    assert np.abs(plain - reference.decode(heatmaps, dark=True))[:, :, :2].max() > 3


@both_ways
@pytest.mark.parametrize("shape", [(0, 17, 64, 48), (1, 3, 1, 1), (2, 1, 4, 4), (1, 1, 5, 5)])
def test_maps_of_any_size_are_read(shape: tuple[int, ...], dark: bool) -> None:
    heatmaps = np.random.default_rng(1).random(shape).astype(np.float32)
    assert decode(heatmaps, dark).shape == (*shape[:2], 3)


def test_the_mirrored_pass_is_mirrored_back_with_sides_exchanged_and_shifted() -> None:
    left, right = COCO_17.flip_pairs[0]
    flipped = np.zeros((1, 17, HEIGHT, WIDTH), np.float32)
    flipped[0, left, 10, 5] = 1  # as left in the mirror: the right one
    mean = average_flipped(np.zeros_like(flipped), flipped, COCO_17.mirrored)
    assert np.argwhere(mean).tolist() == [[0, right, 10, WIDTH - 1 - 5 + 1]]
    assert mean.max() == 0.5


def test_without_the_shift_a_mirrored_picture_gives_the_same() -> None:
    heatmaps = noise(3)
    order = [0, *(keypoint for one, other in COCO_17.flip_pairs for keypoint in (other, one))]
    mirrored = heatmaps[:, order, :, ::-1]
    mean = average_flipped(heatmaps, mirrored, COCO_17.mirrored, shift=False)
    np.testing.assert_array_equal(mean, heatmaps)


def test_the_average_is_that_of_plain_loops() -> None:
    heatmaps, flipped = noise(5), noise(6)
    before = heatmaps.copy(), flipped.copy()
    mean = average_flipped(heatmaps, flipped, COCO_17.mirrored)
    plain = reference.average_flipped(heatmaps, flipped, COCO_17.flip_pairs)
    np.testing.assert_array_equal(mean, plain)
    np.testing.assert_array_equal((heatmaps, flipped), before)
