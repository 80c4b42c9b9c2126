"""MultiPoseNet's keys, predictions, and graph."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import nn

from engines.grouping.anchors import anchors
from engines.networks.multiposenet import MultiPoseNet, depth
from engines.networks.prn import hidden_layers
from engines.networks.resnet import Bottleneck


def keys(of_depth: int, prn_layers: int = 2) -> list[str]:
    with torch.device("meta"):
        return list(MultiPoseNet(of_depth, prn_layers).state_dict())


@pytest.fixture(scope="module")
def network() -> MultiPoseNet:
    """With parameters under which features neither swell nor fade from layer to layer."""
    torch.manual_seed(0)
    network = MultiPoseNet(50, prn_layers=1).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, Bottleneck):
            nn.init.constant_(module.bn3.weight, 0.3)
    return network


@pytest.mark.parametrize("of_depth", [50, 101])
@pytest.mark.parametrize("prn_layers", [1, 2])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_checkpoint_tells_its_depth_and_that_of_its_pose_residual_network(
    of_depth: int, prn_layers: int, prefix: str
) -> None:
    stored = [prefix + key for key in keys(of_depth, prn_layers)]

    assert depth(stored) == of_depth
    assert hidden_layers(stored) == prn_layers


@pytest.mark.parametrize("of_depth", [18, 152])
def test_it_is_not_built_with_other_depths(of_depth: int) -> None:
    with pytest.raises(ValueError, match="choose 50 or 101"):
        MultiPoseNet(of_depth)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 160)])
def test_its_heatmaps_are_a_quarter_of_the_input_and_its_boxes_one_for_each_anchor(
    height: int, width: int, network: MultiPoseNet
) -> None:
    with torch.inference_mode():
        predictions = network(torch.randn(1, 3, height, width))

    placed = len(anchors(height, width))
    assert predictions.heatmaps.shape == (1, 18, height // 4, width // 4)
    assert predictions.box_deltas.shape == (1, placed, 4)
    assert predictions.box_scores.shape == (1, placed, 1)
    assert 0 <= predictions.box_scores.min() <= predictions.box_scores.max() <= 1


def test_every_picture_of_a_batch_is_predicted_as_it_is_alone(network: MultiPoseNet) -> None:
    images = torch.randn(2, 3, 64, 64)

    with torch.inference_mode():
        both = network(images)
        alone = [network(image[None]) for image in images]

    for name, values in both._asdict().items():
        expected = torch.cat([getattr(one, name) for one in alone])
        largest = float(expected.abs().max())
        assert (expected[0] - expected[1]).abs().max() > 1e-2 * largest
        torch.testing.assert_close(values, expected, rtol=0, atol=1e-4 * largest)
