"""The Pose Residual Network: which keypoints in a person's box are that person's."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

GRID = (56, 36, 17)  # rows and columns of the box, keypoints of COCO
_VALUES = 56 * 36 * 17
_WIDTH = 1024


class PoseResidualNetwork(nn.Module):
    """The network of Kocabas et al., "MultiPoseNet", 2018.

    Its modules are named and ordered as in salihkaragoz/pose-residual-network-pytorch. That
    port has a second hidden layer, which the authors' own (mkocabas/pose-residual-network,
    in Keras) has not.

    Args:
        hidden_layers: 1 or 2.
    """

    def __init__(self, hidden_layers: int = 2) -> None:
        super().__init__()
        if hidden_layers not in (1, 2):
            raise ValueError(f"hidden_layers is {hidden_layers}; choose 1 or 2")
        self.dens1 = nn.Linear(_VALUES, _WIDTH)
        self.bneck = nn.Linear(_WIDTH, _WIDTH) if hidden_layers == 2 else None
        self.dens2 = nn.Linear(_WIDTH, _VALUES)

    def forward(self, grid: Tensor) -> Tensor:
        """(N, 56, 36, 17) float32 of one person a box, each summing to 1.

        Args:
            grid: (N, 56, 36, 17) the keypoints that lie in a box, a Gaussian each, 0 to 1.
        """
        given = grid.flatten(1)
        hidden = torch.relu(self.dens1(given))
        if self.bneck is not None:
            hidden = torch.relu(self.bneck(hidden))
        summed = given + torch.relu(self.dens2(hidden))
        # Values are about 3e-5, less than float16's smallest normal one.
        return torch.softmax(summed, dim=1, dtype=torch.float32).reshape(-1, *GRID)


def hidden_layers(keys: Iterable[str]) -> int:
    """The hidden layers of a checkpoint, by its keys; MultiPoseNet's hold such a network."""
    return 2 if any(key.endswith("bneck.weight") for key in keys) else 1
