"""DEKR for inference: the small operators of each keypoint as one for all of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engines.networks.deform_conv import deform_conv2d
from engines.networks.dekr import AdaptiveBlock, Dekr, Maps


def fuse(dekr: Dekr) -> FusedDekr:
    """The network that gives what `dekr` gives in evaluation mode; `dekr` is not changed.

    With 17 keypoints, 34 adaptive blocks become 2 layers of a grouped convolution and a
    deformable one. What a block's translation, transform and regular grid make of features is
    linear in them, hence the weights of one convolution.
    """
    with torch.no_grad():
        return FusedDekr(dekr)


class FusedDekr(nn.Module):
    """Takes and gives what `Dekr` does; made by `fuse`."""

    def __init__(self, dekr: Dekr) -> None:
        super().__init__()
        self.dekr = copy.deepcopy(dekr)
        self.dekr.offset_feature_layers = self.dekr.offset_final_layer = nn.ModuleList()
        layers = zip(*dekr.offset_feature_layers, strict=True)
        self.adapt = nn.Sequential(*(_AdaptiveLayer(blocks) for blocks in layers))
        self.final = _grouped([_weight_and_bias(conv) for conv in dekr.offset_final_layer])
        self.eval()

    def forward(self, image: Tensor) -> Maps:
        features = self.dekr.features(image)
        offsets = self.final(self.adapt(self.dekr.transition_offset(features)))
        return Maps(self.dekr.heatmaps(features), offsets)


class _AdaptiveLayer(nn.Module):
    """The adaptive blocks of all keypoints, a group each."""

    def __init__(self, blocks: Sequence[AdaptiveBlock]) -> None:
        super().__init__()
        self.offsets = _grouped([_offsets(block) for block in blocks])
        weights, biases = zip(*(_adapted(block) for block in blocks), strict=True)
        self.weight = nn.Parameter(torch.cat(weights))
        self.bias = nn.Parameter(torch.cat(biases))
        self.groups = len(blocks)

    def forward(self, x: Tensor) -> Tensor:
        adapted = deform_conv2d(x, self.offsets(x), self.weight, self.bias, self.groups)
        return torch.relu(adapted + x)


def _offsets(block: AdaptiveBlock) -> tuple[Tensor, Tensor]:
    """Weight and bias of the convolution that gives a block's 18 offsets."""
    grid = block.regular_matrix
    transform, translation = block.transform_matrix_conv, block.translation_conv
    weight, bias = (
        torch.einsum("ai...,ip->pa...", turn.reshape(2, 2, *turn.shape[1:]), grid) + move
        for turn, move in zip(
            _weight_and_bias(transform), _weight_and_bias(translation), strict=True
        )
    )
    return weight.flatten(0, 1), (bias - grid.T).flatten()


def _adapted(block: AdaptiveBlock) -> tuple[Tensor, Tensor]:
    """Weight and bias of a block's deformable convolution with the normalisation after it."""
    bn = block.bn
    scale = bn.weight / torch.sqrt(bn.get_buffer("running_var") + bn.eps)
    weight = block.adapt_conv.weight * scale.reshape(-1, 1, 1, 1)
    return weight, bn.bias - bn.get_buffer("running_mean") * scale


def _weight_and_bias(conv: nn.Module) -> tuple[Tensor, Tensor]:
    return conv.get_parameter("weight"), conv.get_parameter("bias")


def _grouped(parameters: Sequence[tuple[Tensor, Tensor]]) -> nn.Conv2d:
    """One convolution that keeps the size, of these weights and biases, a group each."""
    weight, bias = (torch.cat(parts) for parts in zip(*parameters, strict=True))
    outputs, inputs, kernel, _ = weight.shape
    groups = len(parameters)
    conv = nn.Conv2d(inputs * groups, outputs, kernel, padding=kernel // 2, groups=groups)
    conv.load_state_dict({"weight": weight, "bias": bias})
    return conv
