"""EfficientNet-Lite0's features, brought together at an eighth of the picture."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, relu, relu6

_STEM = 32


class _Row(NamedTuple):
    """Blocks of one width; the first of them has the stride."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


# Table 1 of Tan and Le, "EfficientNet", 2019, of which Lite0 has neither squeeze-and-excitation
# nor swish. The last row (320 channels) and what classifies are left out.
_ROWS = (
    _Row(1, 3, 1, 16, 1),
    _Row(6, 3, 2, 24, 2),
    _Row(6, 5, 2, 40, 2),  # at an eighth of the picture
    _Row(6, 3, 2, 80, 3),
    _Row(6, 5, 1, 112, 3),  # at a sixteenth
    _Row(6, 5, 2, 192, 4),  # at a thirty-second
)
_SEEN = (2, 4, 5)  # the rows whose features are given


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 without normalisations, which are folded into its convolutions.

    Of the published parameters (Apache-2.0, TensorFlow) `training.pretrained` makes those of this
    network. Pictures are taken as Lightweight OpenPose takes them, BGR as (x - 128) / 256.

    Args:
        channels: of the features.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stem = _Conv(3, _STEM, 3, stride=2)
        rows, inputs = [], _STEM
        for row in _ROWS:
            widths = [inputs, *[row.channels] * (row.blocks - 1)]
            blocks = [
                _Block(width, row, row.stride if at == 0 else 1) for at, width in enumerate(widths)
            ]
            rows.append(nn.Sequential(*blocks))
            inputs = row.channels
        self.rows = nn.ModuleList(rows)
        self.laterals = nn.ModuleList(nn.Conv2d(_ROWS[row].channels, channels, 1) for row in _SEEN)

    def forward(self, image: Tensor) -> Tensor:
        """(N, channels, H/8, W/8) of (N, 3, H, W), H and W multiples of 8.

        As in Lin et al., "Feature Pyramid Networks", 2017, coarser features are added to finer
        ones.
        """
        x, seen = relu6(self.stem(image)), []
        for number, row in enumerate(self.rows):
            x = row(x)
            if number in _SEEN:
                seen.append(x)
        levels = [lateral(level) for lateral, level in zip(self.laterals, seen, strict=True)]
        features = levels.pop()
        while levels:
            finer = levels.pop()
            features = finer + _doubled(features, finer)
        return relu(features)


class _Block(nn.Module):
    """An inverted residual: expanded, seen channel by channel, and projected.

    Sandler et al., "MobileNetV2", 2018.
    """

    def __init__(self, inputs: int, row: _Row, stride: int) -> None:
        super().__init__()
        inner = inputs * row.expansion
        self.expand = _Conv(inputs, inner, 1) if row.expansion > 1 else None
        self.depthwise = _Conv(inner, inner, row.kernel, stride=stride, groups=inner)
        self.project = nn.Conv2d(inner, row.channels, 1)
        self._adds = stride == 1 and inputs == row.channels

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else relu6(self.expand(x))
        made: Tensor = self.project(relu6(self.depthwise(inner)))
        return x + made if self._adds else made


class _Conv(nn.Module):
    """A convolution that pads as TensorFlow's "SAME" does: nothing before the first of an even
    number of rows that are taken by twos.

    An odd number is taken as if one more row followed, so that cells always are where they are
    for even ones.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        before = (kernel - stride) // 2 if stride == 2 else kernel // 2
        after = before + 2 if stride == 2 else before
        self._apart = (before, after, before, after) if stride == 2 else None
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, 0 if self._apart else before, groups=groups
        )

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(x if self._apart is None else pad(x, self._apart))
        return made


def _doubled(coarse: Tensor, like: Tensor) -> Tensor:
    """Every cell as two by two, as many as a finer level has."""
    large = interpolate(coarse, scale_factor=2, mode="nearest")
    return large[:, :, : like.shape[2], : like.shape[3]]
