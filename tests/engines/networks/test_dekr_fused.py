from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import Tensor, nn

from engines.networks.dekr import AdaptiveBlock, Dekr
from engines.networks.dekr_fused import fuse


def random_dekr(keypoints: int) -> Dekr:
    """As trained: no parameter or statistic is trivial, and grids differ from place to place."""
    torch.manual_seed(0)
    dekr = Dekr(8, keypoints).eval()
    for module in dekr.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.get_buffer("running_var")):
                nn.init.uniform_(value, 0.5, 1.5)
            for value in (module.bias, module.get_buffer("running_mean")):
                nn.init.normal_(value, std=0.1)
        if isinstance(module, AdaptiveBlock):
            nn.init.normal_(module.transform_matrix_conv.weight, std=0.1)
            nn.init.normal_(module.translation_conv.weight, std=0.1)
    return dekr


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("keypoints", [1, 5])
def test_fused_it_gives_the_same(keypoints: int) -> None:
    dekr = random_dekr(keypoints)
    image = torch.randn(2, 3, 64, 96)

    with torch.inference_mode():
        expected, maps = dekr(image), fuse(dekr)(image)

    assert maps.heatmaps.shape == expected.heatmaps.shape
    assert relative_error(maps.heatmaps, expected.heatmaps) <= 1e-6
    assert relative_error(maps.offsets, expected.offsets) <= 1e-5


def test_what_was_fused_is_as_it_was() -> None:
    dekr = random_dekr(2).train()
    before = {key: value.clone() for key, value in dekr.state_dict().items()}

    fused = fuse(dekr)

    assert dekr.training
    assert not fused.training
    assert dekr.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in dekr.state_dict().items())
    assert not any(isinstance(module, AdaptiveBlock) for module in fused.modules())
