"""People scored by how likely their limbs' proportions are: DEKR's rescoring network.

HRNet/DEKR (lib/utils/rescore.py, lib/models/predictOKS.py): a small perceptron that learned
the object keypoint similarity of a pose from its shape.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from engines.skeletons import COCO_17, CROWDPOSE_14, Skeleton

Floats = npt.NDArray[np.float32]
Layers = Mapping[str, Floats]
"""`.weight` (outputs, inputs) and `.bias` of `l1`, `l2` and `l3`, named as in the checkpoints."""

_LINKS = {
    COCO_17.name: (
        *((0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (5, 11)),
        *((6, 8), (6, 12), (7, 9), (8, 10), (11, 12), (11, 13), (12, 14), (13, 15), (14, 16)),
    ),
    CROWDPOSE_14.name: (
        *((12, 13), (13, 0), (13, 1), (0, 2), (1, 3), (2, 4), (3, 5), (0, 6), (1, 7)),
        *((6, 8), (7, 9), (8, 10), (9, 11), (6, 7), (0, 1)),
    ),
}
# The links whose mean length is the unit: both sides of COCO's torso. In CrowdPose these
# numbers are a thigh and a shin; the published weights were trained so.
_UNIT = (9, 11)


def rescore(keypoints: Floats, scores: Floats, skeleton: Skeleton, layers: Layers) -> Floats:
    """(P,) scores times the similarity that the network expects of each pose.

    Args:
        keypoints: (P, K, 3) x, y, score in pixels of the image.
        scores: (P,).
        skeleton: COCO's 17 or CrowdPose's 14 keypoints.
        layers: the network's parameters.

    Raises:
        KeyError: the network knows no such skeleton, or a parameter is missing.
    """
    hidden = features(keypoints, skeleton)
    for name in ("l1", "l2"):
        hidden = np.maximum(_linear(hidden, name, layers), 0)
    expected = _linear(hidden, "l3", layers)[:, 0]
    return scores * np.where(np.isnan(expected), np.float32(0), expected)


def features(keypoints: Floats, skeleton: Skeleton) -> Floats:
    """(P, 3 links + K): each link's x and y, then the links' lengths, then keypoints' scores."""
    first, second = np.array(_LINKS[skeleton.name]).T
    along = keypoints[:, first, :2] - keypoints[:, second, :2]
    length = np.hypot(along[:, :, 0], along[:, :, 1])
    unit = np.maximum(length[:, _UNIT].mean(axis=1, keepdims=True), 1)
    sides = (along / unit[:, :, None]).reshape(len(keypoints), 2 * len(first))
    return np.concatenate([sides, length / unit, keypoints[:, :, 2]], axis=1)


def _linear(inputs: Floats, name: str, layers: Layers) -> Floats:
    outputs: Floats = inputs @ layers[f"{name}.weight"].T + layers[f"{name}.bias"]
    return outputs
