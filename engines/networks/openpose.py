"""OpenPose for COCO's and MPI's keypoints: VGG features, refined in six stages of two branches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.networks.lightweight_openpose import Maps

# VGG-19 to conv4_2: layers and widths, with a pooling before each group but the first.
VGG = (
    (("conv1_1", 64), ("conv1_2", 64)),
    (("conv2_1", 128), ("conv2_2", 128)),
    (("conv3_1", 256), ("conv3_2", 256), ("conv3_3", 256), ("conv3_4", 256)),
    (("conv4_1", 512), ("conv4_2", 512)),
)
_NARROWING = (("conv4_3_CPM", 256), ("conv4_4_CPM", 128))
_FEATURES = 128
_STAGES = range(2, 7)  # after the first


class OpenPose(nn.Module):
    """The network of Z. Cao et al., "Realtime Multi-Person 2D Pose Estimation using Part Affinity
    Fields", CVPR 2017.

    Its modules are the layers of the prototxt of CMU-Perceptual-Computing-Lab/openpose
    (models/pose/coco, models/pose/mpi), by their names and in their order. `L1` is the
    branch of the fields, `L2` that of the heatmaps.

    Args:
        heatmaps: keypoints and the background: 19 for COCO, 16 for MPI.
        pafs: two channels a limb: 38 for COCO, 28 for MPI.
    """

    def __init__(self, heatmaps: int, pafs: int) -> None:
        super().__init__()
        for name, layer in _layers(heatmaps, pafs):
            self.add_module(name, layer)

    def forward(self, image: Tensor) -> Maps:
        """The last stage's maps of float32 (N, 3, H, W) BGR pixels as x / 256 - 0.5."""
        return self.stages(image)[-1]

    def stages(self, image: Tensor) -> list[Maps]:
        """Every stage's maps, first to last; a loss in training looks at all of them."""
        features = image
        for index, group in enumerate(VGG):
            features = features if index == 0 else functional.max_pool2d(features, 2)
            for name, _ in group:
                features = self._relu(name, features)
        for name, _ in _NARROWING:
            features = self._relu(name, features)
        maps = [self._stage("conv5_{}_CPM_{}", 5, features)]
        for stage in _STAGES:
            seen = torch.cat([maps[-1].pafs, maps[-1].heatmaps, features], dim=1)
            maps.append(self._stage(f"Mconv{{}}_stage{stage}_{{}}", 7, seen))
        return maps

    def _stage(self, name: str, layers: int, seen: Tensor) -> Maps:
        pafs = heatmaps = seen
        for layer in range(1, layers):
            pafs = self._relu(name.format(layer, "L1"), pafs)
            heatmaps = self._relu(name.format(layer, "L2"), heatmaps)
        last_pafs = self.get_submodule(name.format(layers, "L1"))
        last_heatmaps = self.get_submodule(name.format(layers, "L2"))
        return Maps(last_heatmaps(heatmaps), last_pafs(pafs))

    def _relu(self, name: str, x: Tensor) -> Tensor:
        return functional.relu(self.get_submodule(name)(x), inplace=True)


def _layers(heatmaps: int, pafs: int) -> Iterator[tuple[str, nn.Conv2d]]:
    """Names and layers, in the prototxt's order: the branches take turns."""
    inputs = 3
    for name, outputs in (*(layer for group in VGG for layer in group), *_NARROWING):
        yield name, conv(inputs, outputs, 3)
        inputs = outputs
    branches = (("L1", pafs), ("L2", heatmaps))
    first = ((_FEATURES, 128, 3), (128, 128, 3), (128, 128, 3), (128, 512, 1))
    for index, shape in enumerate(first, 1):
        for branch, _ in branches:
            yield f"conv5_{index}_CPM_{branch}", conv(*shape)
    for branch, outputs in branches:
        yield f"conv5_5_CPM_{branch}", conv(512, outputs, 1)
    seen = pafs + heatmaps + _FEATURES
    refinement = ((seen, 128, 7), *((128, 128, 7) for _ in range(4)), (128, 128, 1))
    for stage in _STAGES:
        for index, shape in enumerate(refinement, 1):
            for branch, _ in branches:
                yield f"Mconv{index}_stage{stage}_{branch}", conv(*shape)
        for branch, outputs in branches:
            yield f"Mconv7_stage{stage}_{branch}", conv(128, outputs, 1)


def conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
    """A convolution that keeps height and width."""
    return nn.Conv2d(inputs, outputs, size, padding=size // 2)
