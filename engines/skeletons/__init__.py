"""Keypoint names, limbs, flip pairs and OKS sigmas of the skeletons the models use."""

from __future__ import annotations

from engines.skeletons.coco import COCO_17
from engines.skeletons.crowdpose import CROWDPOSE_14
from engines.skeletons.mpii import MPII_16
from engines.skeletons.openpose import BODY_25, MPI_15, OPENPOSE_18
from engines.skeletons.skeleton import Skeleton

__all__ = [
    "BODY_25",
    "COCO_17",
    "CROWDPOSE_14",
    "MPII_16",
    "MPI_15",
    "NO_KEYPOINTS",
    "OPENPOSE_18",
    "SKELETONS",
    "Skeleton",
]

NO_KEYPOINTS = Skeleton(name="no-keypoints", keypoints=(), limbs=(), sigmas=(), flip_pairs=())
"""What a person detector gives: boxes alone."""

SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (
        COCO_17,
        OPENPOSE_18,
        BODY_25,
        MPI_15,
        CROWDPOSE_14,
        MPII_16,
        NO_KEYPOINTS,
    )
}
