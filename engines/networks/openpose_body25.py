"""OpenPose for BODY_25: fields first, in four stages, then heatmaps in two."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.networks.lightweight_openpose import Maps
from engines.networks.openpose import VGG, conv

HEATMAPS, PAFS = 26, 52
_FEATURES = 128
_BLOCKS = range(1, 6)  # of three convolutions each
_UNITS = range(3)

# Of each stage: name, inputs, width of a block's convolutions and of the layer before the last.
_FIELD_STAGES = (
    ("stage0_L2", _FEATURES, 96, 256),
    *((f"stage{index}_L2", _FEATURES + PAFS, 128, 512) for index in (1, 2, 3)),
)
_HEATMAP_STAGES = (
    ("stage0_L1", _FEATURES + PAFS, 96, 256),
    ("stage1_L1", _FEATURES + HEATMAPS + PAFS, 128, 512),
)


class OpenPoseBody25(nn.Module):
    """The network of Z. Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part
    Affinity Fields", 2019, for the 25 keypoints of body and feet.

    Its modules are the layers of models/pose/body_25/pose_deploy.prototxt of
    CMU-Perceptual-Computing-Lab/openpose, by their names and in their order. `L2` is the
    branch of the fields, `L1` that of the heatmaps.
    """

    def __init__(self) -> None:
        super().__init__()
        for name, layer in _layers():
            self.add_module(name, layer)

    def forward(self, image: Tensor) -> Maps:
        """The last stages' maps of float32 (N, 3, H, W) BGR pixels as x / 256 - 0.5."""
        features = self._features(image)
        pafs = self._stage("stage0_L2", features)
        for name, *_ in _FIELD_STAGES[1:]:
            pafs = self._stage(name, torch.cat([features, pafs], dim=1))
        heatmaps = self._stage("stage0_L1", torch.cat([features, pafs], dim=1))
        heatmaps = self._stage("stage1_L1", torch.cat([features, heatmaps, pafs], dim=1))
        return Maps(heatmaps, pafs)

    def _features(self, image: Tensor) -> Tensor:
        x = image
        for index, group in enumerate(VGG):
            x = x if index == 0 else functional.max_pool2d(x, 2)
            for name, _ in group:
                x = self._layer(name, x)
                x = (
                    self._layer("prelu4_2", x)
                    if name == "conv4_2"
                    else functional.relu(x, inplace=True)
                )
        for name in ("4_3_CPM", "4_4_CPM"):
            x = self._layer(f"prelu{name}", self._layer(f"conv{name}", x))
        return x

    def _stage(self, name: str, x: Tensor) -> Tensor:
        for block in _BLOCKS:
            made = []
            for unit in _UNITS:
                x = self._prelu(f"{block}_{name}_{unit}", x)
                made.append(x)
            x = torch.cat(made, dim=1)
        return self._layer(f"Mconv7_{name}", self._prelu(f"6_{name}", x))

    def _prelu(self, name: str, x: Tensor) -> Tensor:
        return self._layer(f"Mprelu{name}", self._layer(f"Mconv{name}", x))

    def _layer(self, name: str, x: Tensor) -> Tensor:
        made: Tensor = self.get_submodule(name)(x)
        return made


def _layers() -> Iterator[tuple[str, nn.Module]]:
    """Names and layers, in the prototxt's order."""
    inputs = 3
    for name, outputs in (layer for group in VGG for layer in group):
        yield name, conv(inputs, outputs, 3)
        inputs = outputs
    yield "prelu4_2", nn.PReLU(inputs)
    for name, outputs in (("4_3_CPM", 256), ("4_4_CPM", _FEATURES)):
        yield f"conv{name}", conv(inputs, outputs, 3)
        yield f"prelu{name}", nn.PReLU(outputs)
        inputs = outputs
    for stages, outputs in ((_FIELD_STAGES, PAFS), (_HEATMAP_STAGES, HEATMAPS)):
        for name, seen, width, hidden in stages:
            yield from _stage_layers(name, seen, width, hidden, outputs)


def _stage_layers(
    name: str, inputs: int, width: int, hidden: int, outputs: int
) -> Iterator[tuple[str, nn.Module]]:
    for block in _BLOCKS:
        for unit in _UNITS:
            yield f"Mconv{block}_{name}_{unit}", conv(inputs, width, 3)
            yield f"Mprelu{block}_{name}_{unit}", nn.PReLU(width)
            inputs = width
        inputs = width * len(_UNITS)
    yield f"Mconv6_{name}", conv(inputs, hidden, 1)
    yield f"Mprelu6_{name}", nn.PReLU(hidden)
    yield f"Mconv7_{name}", conv(hidden, outputs, 1)
