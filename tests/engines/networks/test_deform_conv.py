from __future__ import annotations

import itertools
import math

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import torch
from torch import Tensor
from torch.nn import functional

from engines.networks.deform_conv import deform_conv2d


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_without_offsets_it_is_an_ordinary_convolution() -> None:
    x, weight, bias = random(2, 6, 5, 7), random(8, 3, 3, 3), random(8)

    made = deform_conv2d(x, torch.zeros(2, 36, 5, 7), weight, bias, groups=2)

    expected = functional.conv2d(x, weight, bias, padding=1, groups=2)
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=1e-5)


def by_definition(x: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    """One picture, one group, a pixel at a time."""
    height, width = x.shape[1:]
    made = torch.zeros(len(weight), height, width, dtype=torch.float64)
    for row, column, point in itertools.product(range(height), range(width), range(9)):
        dy, dx = offsets[2 * point : 2 * point + 2, row, column].tolist()
        y, across = row - 1 + point // 3 + dy, column - 1 + point % 3 + dx
        seen = torch.zeros(len(x), dtype=torch.float64)
        for i, j in itertools.product((0, 1), (0, 1)):
            r, c = math.floor(y) + i, math.floor(across) + j
            if 0 <= r < height and 0 <= c < width:
                seen += x[:, r, c] * (1 - abs(y - r)) * (1 - abs(across - c))
        made[:, row, column] += weight[:, :, point // 3, point % 3].double() @ seen
    return made


@pytest.mark.parametrize("reach", [0.6, 3.0, 20.0])
def test_each_point_looks_where_its_offset_says_and_sees_zero_beyond_the_map(reach: float) -> None:
    x, offsets, weight = random(1, 2, 5, 4), reach * random(1, 18, 5, 4, seed=1), random(3, 2, 3, 3)

    made = deform_conv2d(x, offsets, weight)[0]

    expected = by_definition(x[0], offsets[0], weight)
    torch.testing.assert_close(made.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("step", [-3.0, -1.0, -0.5, 0.5, 1.0, 3.0])
def test_it_is_exact_where_points_lie_on_the_border_or_half_across(step: float) -> None:
    x, weight = random(1, 1, 4, 4), random(1, 1, 3, 3)
    offsets = torch.full((1, 18, 4, 4), step)

    made = deform_conv2d(x, offsets, weight)[0]

    expected = by_definition(x[0], offsets[0], weight)
    torch.testing.assert_close(made.double(), expected, rtol=1e-5, atol=1e-5)


def test_each_group_has_its_own_offsets_and_each_picture_too() -> None:
    x, offsets, weight = random(2, 6, 4, 5), random(2, 54, 4, 5, seed=1), random(3, 2, 3, 3)

    made = deform_conv2d(x, offsets, weight, groups=3)

    for picture, group in itertools.product(range(2), range(3)):
        alone = deform_conv2d(
            x[picture : picture + 1, 2 * group : 2 * group + 2],
            offsets[picture : picture + 1, 18 * group : 18 * group + 18],
            weight[group : group + 1],
        )
        torch.testing.assert_close(made[picture, group], alone[0, 0])


def test_half_precision_features_are_sampled_at_exact_places() -> None:
    x, weight = random(1, 2, 3, 400), random(2, 2, 3, 3)
    offsets = 0.1 * random(1, 18, 3, 400, seed=1)

    made = deform_conv2d(x.bfloat16(), offsets, weight.bfloat16())

    assert made.dtype == torch.bfloat16
    expected = deform_conv2d(x, offsets, weight)
    torch.testing.assert_close(made.float(), expected, rtol=0.05, atol=0.1)
