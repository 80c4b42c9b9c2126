"""What is known of a network, and of an engine's answers, before any time is measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """What a network has to do, whoever runs it.

    Attributes:
        gflop: an image; a multiplication and an addition are two operations.
        layers: convolutions and matrix products, each of which is started by itself.
        intensity: operations for each value that these read or write.
    """

    gflop: float
    layers: int
    intensity: float


@dataclass(frozen=True, slots=True)
class Error:
    """The largest and the mean difference from PyTorch's answers, as shares of the largest value,
    for the output where it is largest."""

    largest: float
    mean: float
