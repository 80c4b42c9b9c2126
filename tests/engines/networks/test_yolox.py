"""YOLOX gives its features at an eighth of any picture, always on the same cells."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch

from engines.networks.lightweight_openpose import YOLOX, LightweightOpenPose
from engines.networks.yolox import YoloX

REACH = 20  # cells of a picture's beginning in which its end is not felt


@pytest.fixture(scope="module")
def features() -> YoloX:
    torch.manual_seed(0)
    return YoloX(16).eval()


@pytest.mark.parametrize("sides", [(64, 96), (40, 72), (8, 8)])
def test_features_are_at_an_eighth_of_any_whole_number_of_cells(
    features: YoloX, sides: tuple[int, int]
) -> None:
    with torch.inference_mode():
        made = features(torch.rand(1, 3, *sides))
    assert made.shape == (1, 16, sides[0] // 8, sides[1] // 8)


def test_a_picture_that_ends_on_an_odd_cell_has_its_cells_where_they_are_in_a_larger_one(
    features: YoloX,
) -> None:
    image = torch.rand(1, 3, 64, 8 * 128)
    odd = 8 * 101
    with torch.inference_mode():
        whole, cut = features(image), features(image[..., :odd])
    torch.testing.assert_close(cut[..., :REACH], whole[..., :REACH])
    assert not torch.allclose(cut[..., 95:], whole[..., 95:101])


def test_lightweight_openpose_refines_its_features() -> None:
    network = LightweightOpenPose(width=0.25, blocks=1, backbone=YOLOX).eval()
    with torch.inference_mode():
        maps = network(torch.rand(2, 3, 64, 40))
    assert maps.heatmaps.shape == (2, 19, 8, 5)
    assert maps.pafs.shape == (2, 38, 8, 5)
