"""MMPose's layouts of HRNet and DEKR, made into those of the networks' authors.

HRNet's differ in the names of its parts alone. DEKR's head is one grouped network where the
authors have one for each keypoint, and some of its outputs mean other things. Compared are
open-mmlab/mmpose, mmpose/models/heads/dekr_head.py (0.x) and .../heads/hybrid_heads/dekr_head.py
(1.x), with HRNet/DEKR, lib/models/hrnet_dekr.py and conv_block.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

_PART = re.compile(r"(backbone|keypoint_head|head)\.")  # the head is of 0.x or 1.x
# Beside the network: DEKR's second one, and what tools/misc/publish_model.py drops.
_BESIDE = re.compile(r"((head\.)?rescore_net|data_preprocessor)\.")

_OLD, _NEW = "offset_conv_layers.", "displacement_conv_layers."  # the offsets' of 0.x and 1.x
_HEATMAPS, _OFFSETS = "heatmap_conv_layers.2.", _NEW + "3."  # the last layer of each
_OF_KEYPOINTS = re.compile(re.escape(_NEW) + r"([123])\.(.+)")
_PLACES = {  # of the layers that the authors have once a keypoint
    "1": "offset_feature_layers.{}.0.",
    "2": "offset_feature_layers.{}.1.",
    "3": "offset_final_layer.{}.",
}
_OTHERS = {
    "heatmap_conv_layers.0.conv.": "transition_heatmap.0.",
    "heatmap_conv_layers.0.bn.": "transition_heatmap.1.",
    "heatmap_conv_layers.1.": "head_heatmap.0.0.",
    _HEATMAPS: "head_heatmap.1.",
    _NEW + "0.conv.": "transition_offset.0.",
    _NEW + "0.bn.": "transition_offset.1.",
}


def candidates(stored: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """The parameters under the keys of HRNet's and of DEKR's authors, if they are MMPose's."""
    if not any(key.startswith("backbone.") for key in stored):
        return
    network = {key: value for key, value in stored.items() if not _BESIDE.match(key)}
    parts = {_PART.sub("", key, count=1): value for key, value in network.items()}
    if len(parts) != len(network):  # two keys became one
        return
    yield parts
    try:
        yield _dekr(parts)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError):
        return  # its keys or shapes are not DEKR's


def _dekr(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' parameters of MMPose's; raises nearly anything where they are not DEKR's."""
    is_old = any(key.startswith(_OLD) for key in parts)
    parts = {key.replace(_OLD, _NEW): value for key, value in parts.items()}
    for name in ("weight", "bias"):
        if is_old:  # the centre's heatmap is the first, in 1.x and the authors' the last
            parts[_HEATMAPS + name] = parts[_HEATMAPS + name].roll(-1, 0)
        else:  # offsets lead to the keypoint, in 0.x and the authors' away from it
            parts[_OFFSETS + name] = -parts[_OFFSETS + name]
    keypoints = len(parts[_OFFSETS + "bias"]) // 2
    authors: dict[str, Tensor] = {}
    for key, value in parts.items():
        if match := _OF_KEYPOINTS.fullmatch(key):
            authors |= _separate(_PLACES[match[1]], match[2], value, keypoints)
        else:
            authors[_renamed(key)] = value
    return authors


def _renamed(key: str) -> str:
    for theirs, authors in _OTHERS.items():
        if key.startswith(theirs):
            return authors + key.removeprefix(theirs)
    return key


def _separate(place: str, name: str, value: Tensor, keypoints: int) -> dict[str, Tensor]:
    """Each keypoint's share of a parameter of all: they follow each other along the first axis."""
    is_shared = name == "regular_matrix" or not value.dim()  # the grid, or a counter of batches
    shares = [value] * keypoints if is_shared else value.tensor_split(keypoints)
    return {
        place.format(keypoint) + key: parameter
        for keypoint, share in enumerate(shares)
        for key, parameter in _unfolded(name, share).items()
    }


def _unfolded(name: str, value: Tensor) -> dict[str, Tensor]:
    """One keypoint's parameter under the authors' names.

    The taps g of an adaptive convolution move to A g + t. The authors predict A and t apart,
    MMPose the affine matrix [A - 1 | t].
    """
    if name == "regular_matrix":
        return {name: value[:2]}  # MMPose's third row is the ones that t is multiplied by
    if not name.startswith("transform_matrix_conv."):
        return {name.replace("norm.", "bn."): value}
    affine = value.reshape(2, 3, *value.shape[1:])
    matrix, translation = affine[:, :2].flatten(0, 1), affine[:, 2]
    if name.endswith("bias"):
        matrix = matrix.float() + torch.eye(2).flatten()
    return {name: matrix, name.replace("transform_matrix", "translation"): translation}
