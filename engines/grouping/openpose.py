"""OpenPose's heatmaps and part affinity fields to people.

Z. Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity Fields",
2019. The rules are those of the GPU path of the authors' C++ code (nmsBase.cu,
bodyPartConnectorBase.cu and .cpp, poseParameters.cpp), on maps enlarged as their CPU path does,
with OpenCV's cubic kernel (-0.75); that of their GPU path (-0.5) finds peaks less exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from engines.grouping.assembly import PersonRule, assemble, keypoints_of
from engines.grouping.openpose_fields import LineRule, connect
from engines.grouping.openpose_peaks import find_peaks
from engines.skeletons import MPI_15, Skeleton

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OpenPoseRule:
    """Every constant of the grouping; the defaults are the authors' for COCO's 18 keypoints.

    Attributes:
        peak_threshold: a heatmap is higher at a peak.
        max_peaks: of each keypoint; the topmost are kept.
        field_threshold: a field is higher at a point of a limb's line that counts.
        min_ratio: more than this share of a line's points must count.
        people: which assemblies are people.
    """

    peak_threshold: float = 0.05
    max_peaks: int = 127
    field_threshold: float = 0.05
    min_ratio: float = 0.95
    people: PersonRule = field(default_factory=lambda: PersonRule(min_parts=3, min_score=0.4))


def rule_of(skeleton: Skeleton) -> OpenPoseRule:
    """The constants for one of the authors' skeletons."""
    if skeleton == MPI_15:
        return OpenPoseRule(peak_threshold=0.6, field_threshold=0.01)
    names = enumerate(skeleton.keypoints)
    feet = tuple(index for index, name in names if name.endswith(("_toe", "_heel")))
    rule = OpenPoseRule()
    return replace(rule, people=replace(rule.people, feet=feet))


def group(
    heatmaps: Floats,
    fields: Floats,
    skeleton: Skeleton,
    stride: int,
    rule: OpenPoseRule,
    *,
    scale: float = 1.0,
) -> tuple[Floats, Floats]:
    """People of one picture.

    The authors add half a pixel of the picture to every candidate, so that what they return
    counts from the picture's top left corner. Here that moves the lines between candidates,
    as theirs, but is not in the keypoints returned.

    Args:
        heatmaps: (K or more, h, w) float32; channels after the K keypoints (background) are
            ignored.
        fields: (C, h, w) float32, channels as `skeleton.fields` says.
        skeleton: keypoints, limbs and field channels.
        stride: network-input pixels per map pixel, at least 5.
        rule: the constants.
        scale: network-input pixels per pixel of the picture.

    Returns:
        keypoints (P, K, 3) x, y, score in pixels of the network's input (a pixel's centre
        is whole), missing ones 0; and scores (P,), 0 to 1: the authors' person score, the sum of
        the scores of keypoints and limbs over the number of both, and at most 1.
    """
    count = len(skeleton.keypoints)
    peaks = find_peaks(heatmaps[:count], stride, rule.peak_threshold, rule.max_peaks)
    places = (peaks.xy + peaks.shift).astype(np.float32)
    from_corner = places + np.float32(0.5 * scale)
    near_score = rule.peak_threshold + 1e-6
    lines = LineRule(rule.field_threshold, rule.min_ratio, near_score)
    connections = connect(fields, peaks, from_corner, skeleton, stride=stride, rule=lines)
    assembly = assemble(connections, peaks, skeleton, rule.people)
    scores = np.minimum(assembly.scores / (count + len(skeleton.limbs)), 1)
    return keypoints_of(assembly, places, peaks.score), scores.astype(np.float32)
