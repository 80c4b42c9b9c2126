"""Pictures of every shape fit a network's input, and points come back to where they were."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.geometry import Letterbox, Pixels, letterbox
from tests.shared import shared

BOX = Letterbox(height=368)
every_shape = pytest.mark.parametrize(
    ("height", "width"),
    [
        *((480, 640), (640, 480), (368, 368), (367, 369), (1, 1), (20, 10_000), (10_000, 20)),
        *((1, 10_000), (10_000, 1)),
    ],
)


def grey(height: int, width: int, value: int = 200) -> Pixels:
    return np.full((height, width, 3), value, np.uint8)


@every_shape
@pytest.mark.parametrize("wanted", [BOX, Letterbox(32), Letterbox(250, stride=32)])
def test_an_input_has_whole_strides_and_is_never_narrower_than_high(
    wanted: Letterbox, height: int, width: int
) -> None:
    prepared = letterbox(grey(height, width), wanted)
    rows, columns, colours = prepared.pixels.shape
    assert colours == 3
    assert prepared.pixels.dtype == np.uint8
    assert rows % wanted.stride == columns % wanted.stride == 0
    assert 0 <= rows - wanted.height < wanted.stride
    assert rows <= columns <= wanted.max_aspect * rows


@every_shape
def test_the_whole_picture_is_in_the_input_and_the_rest_is_border(height: int, width: int) -> None:
    prepared = letterbox(grey(height, width), BOX)
    (left, top), (across, down) = prepared.offset, prepared.scale
    fit_w, fit_h = round(width * across), round(height * down)
    inside = np.zeros(prepared.pixels.shape[:2], bool)
    inside[top : top + fit_h, left : left + fit_w] = True
    assert np.count_nonzero(inside) == fit_w * fit_h >= 1
    assert (prepared.pixels[inside] == 200).all()
    assert (prepared.pixels[~inside] == BOX.border).all()


@pytest.mark.parametrize(("height", "width"), [(480, 640), (640, 480), (375, 500)])
def test_the_sides_keep_their_proportion(height: int, width: int) -> None:
    across, down = letterbox(grey(height, width), BOX).scale
    assert across == pytest.approx(down, rel=0.005)
    assert down == pytest.approx(BOX.height / height, rel=0.005)


def test_a_picture_of_the_right_size_is_taken_as_it_is() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (368, 640, 3), np.uint8)
    prepared = letterbox(picture, BOX)
    np.testing.assert_array_equal(prepared.pixels, picture)
    assert (prepared.scale, prepared.offset) == ((1, 1), (0, 0))


def test_the_picture_is_left_alone() -> None:
    picture = grey(368, 640)
    letterbox(picture, BOX).pixels[:] = 0
    assert (picture == 200).all()


@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    stride=st.sampled_from([8, 32]),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@settings(deadline=None, max_examples=50)
def test_points_come_back_to_where_they_were(
    width: int, height: int, stride: int, at: tuple[float, float]
) -> None:
    prepared = letterbox(grey(height, width), Letterbox(64, stride))
    point = np.array(at) * (width, height)
    on_input = point * prepared.scale + prepared.offset - 0.5  # a pixel's centre is whole there
    back = prepared.to_image(on_input.astype(np.float32))
    np.testing.assert_allclose(back, point, rtol=1e-4, atol=1e-3 * max(width, height) / 64)


@pytest.mark.parametrize(("height", "width"), [(480, 640), (900, 300), (60, 700)])
def test_a_spot_in_the_picture_is_found_where_its_centre_is(height: int, width: int) -> None:
    picture = grey(height, width, 0)
    cv2.rectangle(
        picture, (width // 2, height // 3), (width // 2 + 19, height // 3 + 19), (255,) * 3, -1
    )
    prepared = letterbox(picture, Letterbox(368, border=0))
    rows, columns = np.nonzero(prepared.pixels[:, :, 0] > 127)
    centre = np.array([columns.mean(), rows.mean()], np.float32)
    expected = (width // 2 + 10, height // 3 + 10)
    np.testing.assert_allclose(prepared.to_image(centre), expected, atol=1.5)


def test_points_of_any_shape_are_mapped() -> None:
    prepared = letterbox(grey(480, 640), BOX)
    points = np.random.default_rng(0).random((5, 18, 2), np.float32) * 368
    mapped = prepared.to_image(points)
    assert mapped.shape == points.shape
    assert mapped.dtype == np.float32
    np.testing.assert_array_equal(mapped[2, 7], prepared.to_image(points[2, 7]))


@pytest.mark.parametrize("index", [0, 1])
def test_a_photograph_is_prepared_as_the_original_does_it(index: int) -> None:
    folder = shared("fixtures/preprocessing")
    image = json.loads((folder / "inputs.json").read_text("utf-8"))["images"][index]
    expected = image["lightweight_openpose"]
    picture = np.asarray(cv2.imread(str(folder / image["image"])), np.uint8)
    with np.load(folder / "inputs.npz") as arrays:
        name = f"{int(Path(image['image']).stem[-6:])}_lightweight_openpose_256"
        stored = arrays[name].astype(np.float32)

    prepared = letterbox(picture, Letterbox(256))

    top, left, bottom, right = expected["pad_top_left_bottom_right"]
    fitted = (np.array(picture.shape[1::-1]) * prepared.scale).round()
    rest = np.array(prepared.pixels.shape[1::-1]) - fitted - prepared.offset
    assert [3, *prepared.pixels.shape[:2]] == expected["shape"]
    assert prepared.offset == (left, top)
    assert rest.tolist() == [right, bottom]
    np.testing.assert_allclose(prepared.scale, expected["scale"], rtol=0.002)
    normalised = (prepared.pixels.astype(np.float32) - 128) / 256
    difference = np.abs(normalised.transpose(2, 0, 1)[:, ::4, ::4] - stored)
    assert difference.mean() <= 0.02
