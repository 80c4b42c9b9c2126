"""Keypoint names, limbs, flip pairs and OKS sigmas of the skeletons the models use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A set of keypoints and how they hang together.

    Attributes:
        name: what the wire calls it.
        keypoints: names, in the order of a model's keypoint channels.
        limbs: pairs of keypoint indices.
        sigmas: per keypoint, the standard deviation of its annotation relative to the
            object's scale, as COCO's object keypoint similarity (OKS) uses it.
        flip_pairs: keypoints that change places in a mirrored picture.
        fields: per limb, its (x, y) channels among the part affinity fields; empty for a
            skeleton that has none.
        loops: how many of the last limbs only close a loop. They help to find people but
            are not drawn.
        coco: per COCO keypoint, its index here; empty where COCO's cannot be had.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    flip_pairs: tuple[tuple[int, int], ...]
    fields: tuple[tuple[int, int], ...] = ()
    loops: int = 0
    coco: tuple[int, ...] = ()

    @property
    def drawn_limbs(self) -> tuple[tuple[int, int], ...]:
        return self.limbs[: len(self.limbs) - self.loops]


# Sigmas: COCO's keypoint evaluation, https://cocodataset.org/#keypoints-eval.
COCO_17 = Skeleton(
    name="coco-17",
    keypoints=(
        "nose",
        "left_eye",
        "right_eye",
        "left_ear",
        "right_ear",
        "left_shoulder",
        "right_shoulder",
        "left_elbow",
        "right_elbow",
        "left_wrist",
        "right_wrist",
        "left_hip",
        "right_hip",
        "left_knee",
        "right_knee",
        "left_ankle",
        "right_ankle",
    ),
    limbs=(
        (15, 13),
        (13, 11),
        (16, 14),
        (14, 12),
        (11, 12),
        (5, 11),
        (6, 12),
        (5, 6),
        (5, 7),
        (6, 8),
        (7, 9),
        (8, 10),
        (1, 2),
        (0, 1),
        (0, 2),
        (1, 3),
        (2, 4),
    ),
    sigmas=(
        *(0.026, 0.025, 0.025, 0.035, 0.035),
        *(0.079, 0.079, 0.072, 0.072, 0.062, 0.062),
        *(0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    coco=tuple(range(17)),
)

# OpenPose's COCO output, which Lightweight OpenPose shares: poseParametersRender and
# poseParameters of CMU OpenPose. COCO has no neck; it takes the shoulders' sigma.
OPENPOSE_18 = Skeleton(
    name="openpose-18",
    keypoints=(
        "nose",
        "neck",
        "right_shoulder",
        "right_elbow",
        "right_wrist",
        "left_shoulder",
        "left_elbow",
        "left_wrist",
        "right_hip",
        "right_knee",
        "right_ankle",
        "left_hip",
        "left_knee",
        "left_ankle",
        "right_eye",
        "left_eye",
        "right_ear",
        "left_ear",
    ),
    limbs=(
        (1, 2),
        (1, 5),
        (2, 3),
        (3, 4),
        (5, 6),
        (6, 7),
        (1, 8),
        (8, 9),
        (9, 10),
        (1, 11),
        (11, 12),
        (12, 13),
        (1, 0),
        (0, 14),
        (14, 16),
        (0, 15),
        (15, 17),
        (2, 16),
        (5, 17),
    ),
    sigmas=(
        *(0.026, 0.079),
        *(0.079, 0.072, 0.062, 0.079, 0.072, 0.062),
        *(0.107, 0.087, 0.089, 0.107, 0.087, 0.089),
        *(0.025, 0.025, 0.035, 0.035),
    ),
    flip_pairs=((2, 5), (3, 6), (4, 7), (8, 11), (9, 12), (10, 13), (14, 15), (16, 17)),
    fields=(
        (12, 13),
        (20, 21),
        (14, 15),
        (16, 17),
        (22, 23),
        (24, 25),
        (0, 1),
        (2, 3),
        (4, 5),
        (6, 7),
        (8, 9),
        (10, 11),
        (28, 29),
        (30, 31),
        (34, 35),
        (32, 33),
        (36, 37),
        (18, 19),
        (26, 27),
    ),
    loops=2,
    coco=(0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10),
)

SKELETONS = {skeleton.name: skeleton for skeleton in (COCO_17, OPENPOSE_18)}
