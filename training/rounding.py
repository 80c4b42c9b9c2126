"""A network learns to bear what int8 does to its values.

Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", 2018: values are rounded on the way forward, and gradients go back as if they were not.
Weights are left alone: int8 rounds them by channel, which changes little.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_STEPS = 255  # between the lowest and the highest value of eight bits
_SMALLEST = 1e-12  # of a step, where all values are 0


def round_activations(network: nn.Module) -> None:
    """From now on every convolution is given what `rounded` makes of its input."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(_given)


def rounded(values: Tensor) -> Tensor:
    """To whole steps, 255 of them from the lowest value to the highest, 0 being between them.

    A gradient passes as it is.
    """
    with torch.no_grad():
        low, high = values.aminmax()
        step = ((high.clamp(min=0) - low.clamp(max=0)) / _STEPS).clamp(min=_SMALLEST)
        steps = values / step
        change = steps.round().sub_(steps).mul_(step)
    return values + change


def _given(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(map(rounded, inputs))
