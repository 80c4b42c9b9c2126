"""OpenPose: one pass of one network, then grouping."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from engines.geometry import Pixels
from engines.grouping.openpose import OpenPoseRule, group, rule_of
from engines.people import People
from engines.sizes import Made, made_by
from engines.skeletons import Skeleton
from engines.steps import Infer, Steps

_STRIDE = 8
_MULTIPLE = 16  # of which both sides of the input are multiples
_MAX_ASPECT = 4  # heights that an input is wide: no picture makes one that the engine cannot hold


@dataclass(frozen=True, slots=True)
class OpenPose:
    """Z. Cao et al., "OpenPose: Realtime Multi-Person 2D Pose Estimation using Part Affinity
    Fields", 2019.

    Attributes:
        height: of the network's input, rounded up to a multiple of 16.
        network: which takes pictures and gives `heatmaps` and `fields`.
        rule: of the grouping; the one for the skeleton if None.
    """

    skeleton: Skeleton
    height: int
    network: str = "network"
    rule: OpenPoseRule | None = None

    @property
    def sizes(self) -> Made:
        """Of the network's input."""
        return made_by(lambda image: prepare(image, self.height)[0], _MULTIPLE)

    def steps(self, image: Pixels) -> Steps:
        pixels, scale = prepare(image, self.height)
        del image  # a large photograph is not kept while its input waits for the engine
        maps = yield Infer(self.network, pixels[None])
        rule = self.rule or rule_of(self.skeleton)
        heatmaps, fields = maps["heatmaps"][0], maps["fields"][0]
        keypoints, scores = group(heatmaps, fields, self.skeleton, _STRIDE, rule, scale=scale)
        found = keypoints[:, :, 2:] > 0
        on_image = keypoints[:, :, :2] / np.float32(scale) + np.float32(0.5)
        keypoints[:, :, :2] = np.where(found, on_image, 0)
        return People.of(keypoints, scores)


def prepare(image: Pixels, height: int) -> tuple[Pixels, float]:
    """`image` (H, W, 3) at the top left of an input (h, w, 3), black around it, and its scale.

    The centre of the first pixel stays where it is: a pixel's centre, counted in whole pixels,
    is at `scale` times its place in the image. Size, scale and resampling are those of
    OpenPose's scaleAndSizeExtractor.cpp and `resizeFixedAspectRatio`; very wide pictures
    are fitted by their width.
    """
    image_height, image_width = image.shape[:2]
    fit_height = -(-height // _MULTIPLE) * _MULTIPLE
    fit_width = int(fit_height * image_width / image_height / _MULTIPLE + 0.5) * _MULTIPLE
    fit_width = min(max(fit_width, _MULTIPLE), _MAX_ASPECT * fit_height)
    across = (fit_width - 1) / max(image_width - 1, 1)
    scale = min(across, (fit_height - 1) / max(image_height - 1, 1))
    # OpenCV takes `INTER_AREA` for `INTER_LINEAR` here, as it does for the authors.
    resampling = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    affine = np.array([[scale, 0, 0], [0, scale, 0]])
    pixels = cv2.warpAffine(image, affine, (fit_width, fit_height), flags=resampling)
    return np.asarray(pixels, np.uint8), scale
