"""Boxes to crops of a picture, and points on maps of them back to where they were."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.crops import Frames, crop
from engines.geometry import Pixels
from tests.parity.decoding import hrnet as decoding
from tests.parity.preprocessing import hrnet as preprocessing
from tests.shared import shared

WIDTH, HEIGHT = 192, 256
side = st.floats(1, 3000, width=32)
place = st.floats(-500, 3000, width=32)


def around(*box: float) -> Frames:
    return Frames.around(np.array([box], np.float32), WIDTH / HEIGHT)


def noise(height: int, width: int) -> Pixels:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("box", "size"),
    [
        ((10, 20, 30, 80), (75, 100)),  # narrow: widened
        ((10, 20, 90, 40), (112.5, 150)),  # wide: heightened
        ((10, 20, 60, 80), (75, 100)),  # of the input's aspect
    ],
)
def test_a_frame_is_a_quarter_larger_than_the_box_in_the_inputs_aspect(
    box: tuple[float, ...], size: tuple[float, float]
) -> None:
    frames = around(*box)
    assert frames.sizes[0] == pytest.approx(size)
    assert frames.centres[0] == pytest.approx((box[0] + box[2] / 2, box[1] + box[3] / 2))
    assert frames.areas[0] == pytest.approx(size[0] * size[1])


@given(x=place, y=place, width=side, height=side)
def test_points_of_a_crop_go_back_to_where_they_were(
    x: float, y: float, width: float, height: float
) -> None:
    frames = around(x, y, width, height)
    points = np.array([[[0, 0], [20.5, 30.25], [WIDTH, HEIGHT]]]).astype(np.float32)
    there = frames.to_image(points, WIDTH, HEIGHT)[0]
    affine = frames.affines(WIDTH, HEIGHT)[0]
    back = there @ affine[:, :2].T + affine[:, 2]
    an_image_pixel = affine[0, 0]  # of which float32 has about a 2000th here
    assert back == pytest.approx(points[0], abs=1e-3 + an_image_pixel / 1000)


def test_a_heatmap_pixel_is_four_pixels_of_the_input() -> None:
    frames = around(100, 50, 60, 120)
    on_input = np.array([[[48, 64], [100, 12]]], np.float32)
    on_heatmap = on_input / np.float32(4)
    assert frames.to_image(on_heatmap, WIDTH // 4, HEIGHT // 4) == pytest.approx(
        frames.to_image(on_input, WIDTH, HEIGHT)
    )


def test_a_box_whose_frame_has_the_inputs_size_is_copied_pixel_by_pixel() -> None:
    picture = noise(400, 400)
    width, height = WIDTH / 1.25, HEIGHT / 1.25
    box = np.array([[200 - width / 2, 180 - height / 2, width, height]], np.float32)
    pixels = crop(picture, box, WIDTH, HEIGHT).pixels[0]
    np.testing.assert_array_equal(pixels, picture[180 - 128 : 180 + 128, 200 - 96 : 200 + 96])


def test_crops_are_black_outside_the_picture() -> None:
    picture = np.full((100, 100, 3), 200, np.uint8)
    pixels = crop(picture, np.array([[50, 0, 100, 100]], np.float32), WIDTH, HEIGHT).pixels[0]
    assert (pixels[HEIGHT // 2, : WIDTH // 2 - 1] == 200).all()
    assert (pixels[:, WIDTH // 2 :] == 0).all()


def test_every_box_has_its_own_crop() -> None:
    picture = noise(300, 300)
    boxes = np.array([[0, 0, 80, 100], [150, 100, 60, 60], [20, 10, 200, 280]], np.float32)
    together = crop(picture, boxes, 96, 128).pixels
    assert together.shape == (3, 128, 96, 3)
    for box, pixels in zip(boxes, together, strict=True):
        np.testing.assert_array_equal(crop(picture, box[None], 96, 128).pixels[0], pixels)


def test_no_boxes_give_no_crops() -> None:
    assert crop(noise(20, 20), np.zeros((0, 4), np.float32), 96, 128).pixels.shape[0] == 0


def test_a_picture_longer_than_opencv_warps_is_cropped_at_the_right_place() -> None:
    y, x = np.mgrid[:300, :400]
    tile = np.stack([x / 2, y / 2, (x + y) / 4], axis=2).astype(np.uint8)
    picture = np.tile(tile, (1, 100, 1))
    box = np.array([[38_100, 60, 120, 160]], np.float32)
    there = crop(picture, box, WIDTH, HEIGHT).pixels
    of_tile = crop(tile, np.array([[100, 60, 120, 160]], np.float32), WIDTH, HEIGHT).pixels
    assert np.abs(there.astype(np.float32) - of_tile).mean() < 1
    upright = crop(picture.swapaxes(0, 1), box[:, [1, 0, 3, 2]], HEIGHT, WIDTH).pixels
    np.testing.assert_allclose(upright, there.swapaxes(1, 2), atol=2)


def test_the_frames_and_keypoints_are_the_originals() -> None:
    figure = decoding.check(shared("fixtures/decoding/hrnet.npz").parents[1])
    assert figure.passed, figure.text


def test_the_inputs_are_the_originals() -> None:
    figure = preprocessing.check(shared("fixtures/preprocessing/inputs.npz").parents[1])
    assert figure.passed, figure.text


def test_the_picture_is_left_alone() -> None:
    picture = noise(50, 50)
    before = picture.copy()
    crop(picture, np.array([[5, 5, 20, 20]], np.float32), WIDTH, HEIGHT).pixels[:] = 0
    np.testing.assert_array_equal(picture, before)


def test_a_crop_looks_as_its_part_of_the_picture_resized() -> None:
    y, x = np.mgrid[:300, :400]
    picture = np.stack([x / 2, y / 2, (x + y) / 4], axis=2).astype(np.uint8)
    pixels = crop(picture, np.array([[100, 60, 120, 160]], np.float32), WIDTH, HEIGHT).pixels[0]
    part = picture[40:240, 85:235]  # 1.25 x the box around its centre
    resized = np.asarray(cv2.resize(part, (WIDTH, HEIGHT)), np.float32)
    assert np.abs(pixels - resized).mean() < 1
