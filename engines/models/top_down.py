"""Top-down pose, such as HRNet's: one pass of a network over each person's crop."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from engines.crops import Frames, crop
from engines.geometry import Pixels
from engines.grouping.oks import oks_nms
from engines.grouping.top_down import average_flipped, decode
from engines.people import Floats, People
from engines.sizes import Made
from engines.skeletons import Skeleton
from engines.steps import Infer, Steps

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class TopDownRule:
    """Every constant of the way from boxes to people; the defaults are HRNet's without flip test.

    Attributes:
        flip: also looks at the mirrored crops, and averages.
        dark: places keypoints by DARK, not by a quarter of a heatmap pixel.
        keypoint_threshold: keypoints above it count for their person's score.
        oks_threshold: of people more alike than this the best is kept; 1 keeps everybody.
    """

    flip: bool = False
    dark: bool = False
    keypoint_threshold: float = 0.2
    oks_threshold: float = 0.9


@dataclass(frozen=True, slots=True)
class TopDown:
    """K. Sun et al., "Deep High-Resolution Representation Learning for Human Pose Estimation",
    2019, and every network that gives "heatmaps" (N, K, h, w) of crops `width` x `height`.
    """

    skeleton: Skeleton
    width: int
    height: int
    network: str = "network"
    rule: TopDownRule = field(default_factory=TopDownRule)

    @property
    def sizes(self) -> Made:
        """Of the network's input: every crop has the same."""
        return Made(((self.height, self.width),) * 3)

    def steps(self, image: Pixels, found: People, keep_all: bool = False) -> Steps:
        """The poses of the people `found`, whose boxes and scores count.

        A person's score is their box's times the mean of their keypoints'. Boxes are cut to the
        picture; where nothing of one is left, or it is not a number, nobody is seen and the
        network is not asked.

        Args:
            image: (H, W, 3) uint8 BGR.
            found: boxes and scores; keypoints are ignored.
            keep_all: somebody asked for these boxes: each is answered, in the order given, and
                where nobody is seen by a person of missing keypoints and score 0.
        """
        boxes, seen = _inside(found.boxes, image)
        keypoints = np.zeros((len(found), len(self.skeleton.keypoints), 3), np.float32)
        areas = np.zeros(len(found), np.float32)
        if seen.size:
            crops = crop(image, boxes[seen], self.width, self.height)
            del image  # a large photograph is not kept while its crops wait for the engine
            maps = yield Infer(self.network, self._inputs(crops.pixels))
            keypoints[seen] = self._keypoints(maps["heatmaps"], crops.frames)
            areas[seen] = crops.frames.areas
        scores = _scores(keypoints[:, :, 2], found.scores, self.rule.keypoint_threshold)
        if keep_all:
            return People(keypoints, scores, found.boxes)
        kept = seen[
            oks_nms(
                keypoints[seen],
                scores[seen],
                areas[seen],
                self.skeleton.sigmas,
                self.rule.oks_threshold,
            )
        ]
        return People(keypoints[kept], scores[kept], found.boxes[kept])

    def _inputs(self, pixels: Pixels) -> Pixels:
        return np.concatenate([pixels, pixels[:, :, ::-1]]) if self.rule.flip else pixels

    def _keypoints(self, heatmaps: Floats, frames: Frames) -> Floats:
        if self.rule.flip:
            upright, mirrored = np.split(heatmaps, 2)
            heatmaps = average_flipped(upright, mirrored, self.skeleton.mirrored)
        keypoints = decode(heatmaps, self.rule.dark)
        height, width = heatmaps.shape[2:]
        keypoints[:, :, :2] = frames.to_image(keypoints[:, :, :2], width, height)
        return np.where(keypoints[:, :, 2:] > 0, keypoints, 0)


def _inside(boxes: Floats, image: Pixels) -> tuple[Floats, Indices]:
    """(P, 4) boxes cut to the picture, and the indices of those of which something is left."""
    boxes = np.where(np.isfinite(boxes).all(axis=1, keepdims=True), boxes, 0).astype(np.float64)
    height, width = image.shape[:2]
    low = boxes[:, :2].clip(0, [width, height])
    sides = (boxes[:, :2] + boxes[:, 2:]).clip(0, [width, height]) - low
    cut = np.concatenate([low, sides], axis=1).astype(np.float32)
    return cut, np.flatnonzero((sides > 0).all(axis=1))


def _scores(heat: Floats, boxes: Floats, threshold: float) -> Floats:
    """(P,), 0 to 1: the boxes' scores times the mean of (P, K) keypoint scores that count."""
    counted = heat > threshold
    mean = np.where(counted, heat, 0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    return np.asarray(boxes * mean, np.float32).clip(0, 1)
