"""Statistics of what goes through a network, by which its normalisations go."""

from __future__ import annotations

from itertools import islice

from torch import nn
from torch.optim.swa_utils import update_bn

from training.batches import Batches
from training.config import Training

_PICTURES = 1024  # that statistics are taken of, at most


def settle(network: nn.Module, batches: Batches, size: int) -> None:
    """Takes the statistics anew, of pictures as they are learned from.

    Averaged weights need it, as the statistics of the weights on the way, or their average, do not
    fit: the average of weights that still change much answers more quietly than any of them.

    Args:
        size: of a batch.
    """
    some = islice(batches.whole().since(0), max(1, _PICTURES // size))
    update_bn((batch.images for batch in some), network)


def freeze(network: nn.Module) -> None:
    """Statistics stay as they are while the network learns, until its mode is set again."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def first_frozen(chosen: Training) -> int:
    """The step from which on statistics stay as they are."""
    return chosen.steps - round(chosen.frozen * chosen.steps)
