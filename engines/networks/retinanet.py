"""What RetinaNet makes of a feature pyramid."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class RetinaNetHead(nn.Module):
    """Lin et al., "Focal Loss for Dense Object Detection", 2017: the same head on every level.

    Args:
        width: channels of the levels.
        anchors: at each position of a level.
        values: told of each anchor.
    """

    def __init__(self, width: int, anchors: int, values: int) -> None:
        super().__init__()
        self._values = values
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv3 = nn.Conv2d(width, width, 3, padding=1)
        self.conv4 = nn.Conv2d(width, width, 3, padding=1)
        self.output = nn.Conv2d(width, anchors * values, 3, padding=1)

    def forward(self, levels: Iterable[Tensor]) -> Tensor:
        """(N, A, values) of levels (N, width, h, w): level by level, row by row, anchors last."""
        told = torch.cat([self._level(level) for level in levels], dim=2)
        # A view's -1 stays one in an exported graph; a reshape would compute it there.
        return told.transpose(1, 2).contiguous().view(told.shape[0], -1, self._values)

    def _level(self, x: Tensor) -> Tensor:
        """(N, anchors * values, h * w)."""
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = torch.relu(conv(x))
        told: Tensor = self.output(x)
        return told.view(*told.shape[:2], -1)
