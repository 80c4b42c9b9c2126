"""Heatmaps and part affinity fields to people, for any skeleton with fields.

Z. Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity
Fields", 2019; D. Osokin, "Real-time 2D Multi-Person Pose Estimation on CPU: Lightweight
OpenPose", 2018. Candidates and limb scores are those of Lightweight OpenPose's own code;
limbs are joined as in OpenPose's GPU path, which leaves fewer people in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engines.grouping.assembly import PersonRule, assemble, keypoints_of
from engines.grouping.fields import FieldRule, connect
from engines.grouping.peaks import PeakRule, find_peaks
from engines.skeletons import Skeleton

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PartAffinityRule:
    """Every constant of the grouping; the defaults are Lightweight OpenPose's."""

    peaks: PeakRule = field(default_factory=PeakRule)
    fields: FieldRule = field(default_factory=FieldRule)
    people: PersonRule = field(default_factory=PersonRule)


def group(
    heatmaps: Floats, fields: Floats, skeleton: Skeleton, stride: int, rule: PartAffinityRule
) -> tuple[Floats, Floats]:
    """People of one picture.

    Args:
        heatmaps: (K or more, h, w) float32; channels after the K keypoints (background) are
            ignored.
        fields: (C, h, w) float32, channels as `skeleton.fields` says.
        skeleton: keypoints, limbs and field channels.
        stride: network-input pixels per map pixel.
        rule: the constants.

    Returns:
        keypoints (P, K, 3) x, y, score in pixels of the network's input (a pixel's centre
        is whole), missing ones 0; and scores (P,), 0 to 1: the mean over all K keypoints.
    """
    count = len(skeleton.keypoints)
    peaks = find_peaks(heatmaps[:count], rule.peaks)
    upsample = rule.peaks.upsample
    connections = connect(fields, peaks, skeleton, upsample, rule.fields)
    assembly = assemble(connections, peaks, skeleton, rule.people)

    places = (peaks.xy + peaks.shift + 0.5) * (stride / upsample) - 0.5
    keypoints = keypoints_of(assembly, places.astype(np.float32), peaks.score)
    scores = np.minimum(keypoints[:, :, 2].sum(axis=1) / count, 1)
    return keypoints, scores.astype(np.float32)
