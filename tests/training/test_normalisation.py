"""Normalisations go by the statistics of pictures as they are learned from."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch
from torch import nn

from engines.skeletons import OPENPOSE_18
from tests.training.drawn import SIDE, folder_of_four, run_of, silent
from training.batches import Batches, Part
from training.config import Training
from training.keeping import made, make
from training.normalisation import first_frozen, freeze, settle

CHOSEN = Training(batch=4, crop=SIDE)


def network() -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(3))


def batches(folder: Path, part: Part | None = None) -> Batches:
    config = run_of(folder_of_four(folder))
    make(config, None, folder / "kept", silent)
    return Batches(made(config, folder / "kept"), CHOSEN, OPENPOSE_18, 1, part=part)


def test_settled_statistics_are_those_of_the_batches(tmp_path: Path) -> None:
    some, normalised = batches(tmp_path), network()

    settle(normalised, some, size=512)

    first, second = (batch.images for _, batch in zip(range(2), some.since(0), strict=False))
    expected = (first.mean((0, 2, 3)) + second.mean((0, 2, 3))) / 2
    torch.testing.assert_close(normalised.get_buffer("0.running_mean"), expected)


def test_every_process_takes_them_of_the_whole_batches(tmp_path: Path) -> None:
    alone, one_of_two = network(), network()

    settle(alone, batches(tmp_path), size=512)
    settle(one_of_two, batches(tmp_path, Part(1, 2)), size=512)

    assert torch.equal(alone.get_buffer("0.running_var"), one_of_two.get_buffer("0.running_var"))


def test_frozen_statistics_stay_while_weights_can_change() -> None:
    frozen = network().train()
    freeze(frozen)

    made = frozen(torch.rand(2, 3, 8, 8))

    assert torch.equal(frozen.get_buffer("0.running_mean"), torch.zeros(3))
    assert made.requires_grad
    assert frozen.training


@pytest.mark.parametrize(("frozen", "step"), [(0.0, 50), (0.6, 20), (1.0, 0)])
def test_a_share_of_the_steps_is_frozen(frozen: float, step: int) -> None:
    assert first_frozen(Training(steps=50, frozen=frozen)) == step
