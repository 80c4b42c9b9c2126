"""The network that learns."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.skeletons import Skeleton
from training.config import Student

MEAN, SCALE = 128.0, 256.0  # a network gets (pixel - mean) / scale: `centred` in the catalogue

_HEADS_DEVIATION = 0.01  # of the weights of the last layers


class Stages(nn.Module):
    """A network whose answer is all its stages' maps, for a loss that looks at each of them."""

    def __init__(self, network: LightweightOpenPose) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        """Per stage (N, K + 1 + 2 * limbs, H/8, W/8), of (N, 3, H, W) as `MEAN` and `SCALE` say.

        The heatmaps first, the background last of them, then the fields.
        """
        return [torch.cat(maps, dim=1) for maps in self.network.stages(image)]


def student(chosen: Student, skeleton: Skeleton) -> LightweightOpenPose:
    """A network with made-up parameters, on the CPU; PyTorch's seed decides them.

    He et al., "Delving Deep into Rectifiers", 2015: with PyTorch's own initialisation what goes
    through the layers that have no normalisation would fade away. The last layers begin near
    zero, which is what most of the maps are.
    """
    network = LightweightOpenPose(
        chosen.refinement_stages,
        len(skeleton.keypoints) + 1,
        2 * len(skeleton.limbs),
        width=chosen.width,
        blocks=chosen.blocks,
        backbone=chosen.backbone,
    )
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for stage in (network.initial_stage, *network.refinement_stages):
        for head in (stage.get_submodule("heatmaps.1.0"), stage.get_submodule("pafs.1.0")):
            nn.init.normal_(head.get_parameter("weight"), std=_HEADS_DEVIATION)
    return network
