from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.networks.dekr import FEATURES, AdaptiveBlock, Dekr


def test_its_maps_are_a_quarter_of_the_input() -> None:
    network = Dekr(4, 3).eval()

    with torch.inference_mode():
        maps = network(torch.zeros(2, 3, 64, 96))

    assert maps.heatmaps.shape == (2, 4, 16, 24)
    assert maps.offsets.shape == (2, 6, 16, 24)


def test_a_keypoint_is_offset_by_its_own_channels_alone() -> None:
    network = Dekr(4, 3).eval()
    given: list[Tensor] = []
    network.transition_offset.register_forward_hook(lambda _, __, made: given.append(made))

    offsets = network(torch.rand(1, 3, 64, 64)).offsets
    (gradient,) = torch.autograd.grad(offsets[:, 2:4].sum(), given)

    seen = gradient.abs().sum(dim=(0, 2, 3)).reshape(3, FEATURES)
    assert seen[1].all()
    assert not seen[[0, 2]].any()


def adaptive(transform: list[int], translation: list[int]) -> AdaptiveBlock:
    """A block that adapts alike everywhere."""
    torch.manual_seed(0)
    block = AdaptiveBlock().eval()
    for conv, bias in (
        (block.transform_matrix_conv, transform),
        (block.translation_conv, translation),
    ):
        nn.init.zeros_(conv.weight)
        conv.load_state_dict({"bias": torch.tensor(bias)}, strict=False)
    return block


@pytest.mark.parametrize("shift", [(0, 0), (2, -1)])
def test_a_block_moves_its_grid_down_and_right(shift: tuple[int, int]) -> None:
    block, x = adaptive([1, 0, 0, 1], list(shift)), torch.rand(1, FEATURES, 6, 6)

    made = block(x)

    down, right = (4 + step for step in shift)
    seen = functional.pad(x, [4, 4, 4, 4])
    moved = functional.conv2d(seen, block.adapt_conv.weight, padding=1)
    moved = moved[:, :, down : down + 6, right : right + 6]
    torch.testing.assert_close(made, torch.relu(block.bn(moved) + x), rtol=1e-4, atol=1e-5)


def test_a_block_turns_its_grid() -> None:
    block, x = adaptive([0, -1, 1, 0], [0, 0]), torch.rand(1, FEATURES, 6, 6)  # (y, x) to (-x, y)

    made = block(x)

    kernel = torch.rot90(block.adapt_conv.weight, dims=(2, 3))
    turned = functional.conv2d(x, kernel, padding=1)
    torch.testing.assert_close(made, torch.relu(block.bn(turned) + x), rtol=1e-4, atol=1e-5)
