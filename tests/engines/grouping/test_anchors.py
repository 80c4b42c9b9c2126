"""Anchors of an input, and the boxes at deltas from them."""

from __future__ import annotations

import numpy as np
import pytest

from engines.grouping.anchors import anchors, boxes
from tests.shared import shared

FIXTURE = "fixtures/networks/multiposenet-resnet50.npz"
ANCHOR = np.array([[20, 40, 60, 120]], np.float32)  # 40 wide and 80 high round 40, 80


def placed(*deltas: float, height: int = 400, width: int = 500) -> list[float]:
    """The box at `deltas` from `ANCHOR`."""
    box: list[float] = boxes(ANCHOR, np.array([deltas], np.float32), height, width)[0].tolist()
    return box


def test_anchors_are_those_of_the_original_in_order() -> None:
    with np.load(shared(FIXTURE)) as stored:
        np.testing.assert_allclose(anchors(128, 192), stored["anchors"][0], atol=1e-3)


def test_boxes_are_those_of_the_original() -> None:
    with np.load(shared(FIXTURE)) as stored:
        deltas = stored["box_deltas"][0] * np.float32(0.02)
        expected = stored["boxes_of_deltas_times_0.02"][0]

    np.testing.assert_allclose(boxes(anchors(128, 192), deltas, 128, 192), expected, atol=1e-3)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160), (480, 480), (480, 640)])
def test_nine_anchors_lie_round_every_cell_of_every_level(height: int, width: int) -> None:
    cells = [(-(-height // stride), -(-width // stride)) for stride in (8, 16, 32, 64, 128)]

    made = anchors(height, width)

    assert made.shape == (9 * sum(rows * columns for rows, columns in cells), 4)
    assert made.dtype == np.float32
    at = made.reshape(-1, 9, 2, 2).mean(axis=2)
    np.testing.assert_allclose(at, np.broadcast_to(at[:, :1], at.shape), atol=1e-3)
    np.testing.assert_allclose(at[0, 0], [4, 4], atol=1e-3)
    np.testing.assert_allclose(at[1, 0], [12, 4], atol=1e-3)  # along the row first
    np.testing.assert_allclose(at[cells[0][1], 0], [4, 12], atol=1e-3)


def test_anchors_have_three_scales_of_each_of_three_shapes() -> None:
    made = anchors(64, 64)
    sides = made[:, 2:] - made[:, :2]
    areas = np.sqrt(sides.prod(axis=1))
    first, last = areas[:9], areas[-9:]

    np.testing.assert_allclose(first[:3], [32, 40.3, 50.8], atol=0.05)
    np.testing.assert_allclose(last, 16 * first, rtol=1e-4)
    np.testing.assert_allclose(sides[:9:3, 1] / sides[:9:3, 0], [0.5, 1, 2], rtol=1e-4)


def test_anchors_of_one_size_are_made_once_and_cannot_be_changed() -> None:
    made = anchors(64, 96)

    assert anchors(64, 96) is made
    with pytest.raises(ValueError, match="read-only"):
        made[0] = 0


def test_without_deltas_a_box_is_its_anchor() -> None:
    assert placed(0, 0, 0, 0) == ANCHOR[0].tolist()


def test_deltas_move_the_centre_by_tenths_of_the_sides() -> None:
    assert placed(1, 2, 0, 0) == pytest.approx([24, 56, 64, 136])


def test_deltas_scale_the_sides_about_the_centre_by_powers() -> None:
    double = np.log(2) / 0.2

    assert placed(0, 0, double, -double) == pytest.approx([0, 60, 80, 100], abs=1e-4)


def test_boxes_end_where_the_input_does() -> None:
    assert placed(-10, 0, 0, 0, height=100, width=50) == pytest.approx([0, 40, 20, 100])
    assert placed(0, -10, 0, 0, height=100, width=50) == pytest.approx([20, 0, 50, 40])


def test_a_box_beside_the_input_is_empty() -> None:
    assert placed(-100, 0, 0, 0) == pytest.approx([0, 40, 0, 120])
    assert placed(0, 100, 0, 0) == pytest.approx([20, 400, 60, 400])


def test_no_anchors_have_no_boxes() -> None:
    assert boxes(np.empty((0, 4), np.float32), np.empty((0, 4), np.float32), 64, 64).shape == (0, 4)
