"""Lightweight OpenPose: one pass of one network, then grouping."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from engines.geometry import Letterbox, Pixels, letterbox
from engines.grouping.part_affinity import PartAffinityRule, group
from engines.people import People
from engines.sizes import Made, made_by
from engines.skeletons import Skeleton
from engines.steps import Infer, Steps


@dataclass(frozen=True, slots=True)
class LightweightOpenPose:
    """D. Osokin, "Real-time 2D Multi-Person Pose Estimation on CPU", 2018."""

    skeleton: Skeleton
    input: Letterbox
    network: str = "network"
    rule: PartAffinityRule = field(default_factory=PartAffinityRule)

    @property
    def sizes(self) -> Made:
        """Of the network's input."""
        return made_by(lambda image: letterbox(image, self.input).pixels, self.input.stride)

    def steps(self, image: Pixels) -> Steps:
        prepared = letterbox(image, self.input)
        del image  # a large photograph is not kept while its input waits for the engine
        maps = yield Infer(self.network, prepared.pixels[None])
        keypoints, scores = group(
            maps["heatmaps"][0], maps["fields"][0], self.skeleton, self.input.stride, self.rule
        )
        found = keypoints[:, :, 2:] > 0
        on_image = prepared.to_image(keypoints[:, :, :2])
        keypoints[:, :, :2] = np.where(found, on_image, 0)
        return People.of(keypoints, scores)
