"""What is asked for, and hard, weighs more; what does not count, nothing."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.skeletons import OPENPOSE_18
from training.config import Loss
from training.loss import MapLoss, channel_weights

NAMES = OPENPOSE_18.keypoints
EVEN = MapLoss(OPENPOSE_18, Loss(foreground=0))


def test_elbows_and_knees_weigh_12_wrists_and_ankles_15() -> None:
    weights = dict(zip(NAMES, channel_weights(OPENPOSE_18, Loss()), strict=False))

    assert {
        weights[f"{side}_{end}"] for side in ("left", "right") for end in ("elbow", "knee")
    } == {1.2}
    assert {
        weights[f"{side}_{end}"] for side in ("left", "right") for end in ("wrist", "ankle")
    } == {1.5}
    assert {weights[name] for name in ("nose", "neck", "left_hip", "right_ear")} == {1.0}


def test_a_field_weighs_as_its_harder_end() -> None:
    weights = channel_weights(OPENPOSE_18, Loss(fields=2))
    forearm = OPENPOSE_18.limbs.index((3, 4))
    assert [weights[19 + axis] for axis in OPENPOSE_18.fields[forearm]] == [3.0, 3.0]


def test_errors_of_all_stages_add_up() -> None:
    asked = torch.zeros(2, 57, 4, 4)
    off = torch.zeros_like(asked)
    off[:, 0] = 0.5

    one, two = (
        EVEN([off], asked, torch.ones_like(asked)),
        EVEN([off, off], asked, torch.ones_like(asked)),
    )

    assert one.heatmaps == pytest.approx(0.25)
    assert one.fields == 0
    assert two.heatmaps == pytest.approx(0.5)


def test_errors_where_nothing_counts_are_none() -> None:
    counts = torch.ones(1, 57, 4, 4)
    counts[:, :, 0, 0] = 0
    wrong = torch.zeros_like(counts)
    wrong[:, :, 0, 0] = 9

    assert sum(EVEN([wrong], torch.zeros_like(counts), counts)) == 0


def test_what_is_asked_for_weighs_more_than_background() -> None:
    loss = MapLoss(OPENPOSE_18, Loss(foreground=3))
    asked = torch.zeros(1, 57, 4, 4)
    asked[0, 0, 1, 1] = 1
    missed, imagined = torch.zeros_like(asked), asked.clone()
    imagined[0, 0, 2, 2] = 1
    counts = torch.ones_like(asked)

    assert loss([missed], asked, counts).heatmaps == 4 * loss([imagined], asked, counts).heatmaps


def test_parts_of_a_batch_make_up_its_loss() -> None:
    torch.manual_seed(0)
    maps, asked = torch.rand(4, 57, 4, 4), torch.rand(4, 57, 4, 4)
    counts = (torch.rand(4, 57, 4, 4) > 0.5).float()

    whole = torch.stack(EVEN([maps], asked, counts))
    parts = [torch.stack(EVEN([maps[at::2]], asked[at::2], counts[at::2])) for at in range(2)]

    torch.testing.assert_close((parts[0] + parts[1]) / 2, whole)
