"""Quickened convolutions give what the others gave, forwards and backwards."""

from __future__ import annotations

import copy

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.skeletons import OPENPOSE_18
from training.config import Student
from training.depthwise import Apart, Exact, quicken
from training.network import Stages, student


@pytest.mark.parametrize("side", [64, 72])  # an even number of cells, and an odd one
def test_maps_and_gradients_are_those_of_the_network(side: int) -> None:
    torch.manual_seed(0)
    plain = Stages(student(Student(width=0.25, blocks=1), OPENPOSE_18)).eval()
    quick = copy.deepcopy(plain)
    quicken(quick)
    image = torch.rand(2, 3, side, side)

    for network in (plain, quick):
        sum((maps**2).sum() for maps in network(image)).backward()

    torch.testing.assert_close(quick(image), plain(image), rtol=1e-4, atol=1e-5)
    for one, other in zip(quick.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4)


def test_the_keys_stay_and_three_convolutions_are_others() -> None:
    plain = Stages(student(Student(), OPENPOSE_18))
    quick = copy.deepcopy(plain)
    quicken(quick)

    assert list(quick.state_dict()) == list(plain.state_dict())
    kinds = [type(module) for module in quick.modules()]
    assert (kinds.count(Exact), kinds.count(Apart)) == (2, 1)
