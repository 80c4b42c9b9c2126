"""Activations are rounded as int8 rounds them, and gradients are not."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch
from torch import nn

from training.rounding import round_activations, rounded


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0.0, 0.4, 0.6, 255.0], [0.0, 0.0, 1.0, 255.0]),
        ([-51.0, -0.7, 0.2, 204.0], [-51.0, -1.0, 0.0, 204.0]),
        ([100.0, 101.4, 510.0], [100.0, 102.0, 510.0]),  # 0 is among the steps
        ([-0.3, -127.5], [-0.5, -127.5]),
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_values_are_rounded_to_255_steps(given: list[float], expected: list[float]) -> None:
    torch.testing.assert_close(rounded(torch.tensor(given)), torch.tensor(expected))


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16, torch.float16])
def test_every_precision_keeps_its_type_and_stays_within_half_a_step(
    precision: torch.dtype,
) -> None:
    values = torch.linspace(-1, 4, 999).to(precision)
    made = rounded(values)
    assert made.dtype == precision
    assert (made - values).abs().max() <= 5 / 255 / 2 + 4 * torch.finfo(precision).eps


def test_a_gradient_passes_as_if_nothing_was_rounded() -> None:
    values = torch.tensor([0.0, 0.4, 0.6, 255.0], requires_grad=True)
    (rounded(values) * torch.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert values.grad.tolist() == [1, 2, 3, 4]


def test_what_a_convolution_is_given_is_rounded() -> None:
    network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU())
    nn.init.ones_(network.get_parameter("0.weight"))
    round_activations(network)
    made = network(torch.tensor([[[[0.0, 0.4, 0.6, 255.0]]]]))
    assert made.flatten().tolist() == [0, 0, 1, 255]
