"""MultiPoseNet: one pass of a network finds people and keypoints, a second one joins them."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from engines.geometry import Pixels, Prepared
from engines.grouping.multiposenet import MultiPoseNetRule, find_boxes, find_candidates
from engines.grouping.person_assignment import assign, place, prn_inputs
from engines.people import Floats, People
from engines.runtime.engine import Maps
from engines.sizes import Made, made_by
from engines.skeletons import OPENPOSE_18, Skeleton
from engines.steps import Infer, Steps

_STRIDE = 32  # of the input's sides
_BORDER = 128
_MAX_ASPECT = 4.0

_NECK = OPENPOSE_18.keypoints.index("neck")  # has a heatmap; the second network knows none
_WITHOUT_NECK = [part for part in range(len(OPENPOSE_18.keypoints)) if part != _NECK]
_COCO = [_WITHOUT_NECK.index(part) for part in OPENPOSE_18.coco]


@dataclass(frozen=True, slots=True)
class MultiPoseNet:
    """M. Kocabas et al., "MultiPoseNet: Fast Multi-Person Pose Estimation using Pose Residual
    Network", 2018, as in LiMeng95/MultiPoseNet.pytorch.

    Attributes:
        skeleton: COCO's.
        height: the input's shorter side.
        network: gives "heatmaps" (1, 18, h/4, w/4) in OpenPose's order, "box_deltas" (1, A, 4)
            and "box_scores" (1, A, 1).
        prn: the Pose Residual Network; takes (P, 56, 36, 17) float32 and gives as much as
            "output". Its values are about 3e-5, too small for float16.
        rule: the constants.
    """

    skeleton: Skeleton
    height: int = 480
    network: str = "network"
    prn: str = "prn"
    rule: MultiPoseNetRule = field(default_factory=MultiPoseNetRule)

    @property
    def sizes(self) -> Made:
        """Of the first network's input."""
        return made_by(lambda image: fit(image, self.height).pixels, _STRIDE)

    def steps(self, image: Pixels) -> Steps:
        """People with their keypoints; the second network is asked where there is anybody.

        A person's score is the share of the keypoints found, LiMeng95's, times the box's
        score, which orders people who show as many. A keypoint's is its candidate's. The
        guesses of keypoints without candidates are missing here.
        """
        height, width = image.shape[:2]
        prepared = fit(image, self.height)
        del image  # a large photograph is not kept while its input waits for the engine
        maps = yield Infer(self.network, prepared.pixels[None])
        corners, surety = self._find_boxes(maps, prepared)
        candidates = find_candidates(maps["heatmaps"][0][_WITHOUT_NECK], self.rule)
        scale_x, scale_y = prepared.scale
        candidates = candidates.inside(width * scale_x, height * scale_y)
        placed = place(candidates, corners, self.rule.reach)
        if not len(placed):
            nobody = np.zeros((0, len(self.skeleton.keypoints), 3), np.float32)
            return People.of(nobody, np.zeros(0, np.float32))
        answer = yield Infer(self.prn, prn_inputs(placed, len(corners)))
        keypoints, share = assign(answer["output"], placed, candidates, corners)
        keypoints = keypoints[:, _COCO]
        found = keypoints[:, :, 2:] > 0
        keypoints[:, :, :2] = np.where(found, prepared.to_image(keypoints[:, :, :2]), 0)
        scores = share * surety
        order = np.argsort(-scores, kind="stable")[: np.count_nonzero(scores)]
        boxes = _on_image(corners, prepared, height, width)
        return People(keypoints[order], scores[order], boxes[order])

    def detect(self, image: Pixels) -> Steps:
        """People without keypoints, of the boxes alone: the detector of a top-down model."""
        height, width = image.shape[:2]
        prepared = fit(image, self.height)
        del image
        maps = yield Infer(self.network, prepared.pixels[None])
        corners, scores = self._find_boxes(maps, prepared)
        boxes = _on_image(corners, prepared, height, width)
        return People(np.zeros((len(boxes), 0, 3), np.float32), scores, boxes)

    def _find_boxes(self, maps: Maps, prepared: Prepared) -> tuple[Floats, Floats]:
        """(P, 4) corners in the input's pixels and (P,) scores, best first."""
        height, width = prepared.pixels.shape[:2]
        deltas, scores = maps["box_deltas"][0], maps["box_scores"][0]
        return find_boxes(deltas, scores, height, width, self.rule)


def fit(image: Pixels, height: int) -> Prepared:
    """The shorter side fitted to `height`, the border grey: LiMeng95's evaluation on COCO.

    Its demonstration fits the longer side instead, which leaves people smaller: a network
    that reads pictures of any size need not. Pictures longer than 4 times their shorter
    side are fitted by their length, so that no picture makes an input that the engine cannot
    hold.
    """
    sides = image.shape[:2]
    ratio = min(height / min(sides), _MAX_ASPECT * height / max(sides))
    return corner(image, ratio, height, _BORDER)


def corner(image: Pixels, ratio: float, least: int, border: int) -> Prepared:
    """A picture in the top left corner of an input whose sides are multiples of 32.

    Args:
        image: (H, W, 3) uint8 BGR.
        ratio: input pixels per pixel of the picture.
        least: pixels of each side of the input.
        border: grey value beside and below the picture.
    """
    height, width = image.shape[:2]
    fit_h, fit_w = max(1, round(height * ratio)), max(1, round(width * ratio))
    full_h, full_w = (-(-max(side, least) // _STRIDE) * _STRIDE for side in (fit_h, fit_w))
    pixels = np.full((full_h, full_w, 3), border, np.uint8)
    pixels[:fit_h, :fit_w] = cv2.resize(image, (fit_w, fit_h), interpolation=cv2.INTER_LINEAR)
    return Prepared(pixels, (fit_w / width, fit_h / height), (0, 0))


def _on_image(corners: Floats, prepared: Prepared, height: int, width: int) -> Floats:
    """(P, 4) x, y, width, height of boxes cut to the picture.

    Unlike keypoints, boxes are not of pixel centres: RetinaNet learns COCO's, which
    count from the corner of the picture, times the scale.
    """
    ends = corners.reshape(-1, 2, 2) / np.asarray(prepared.scale, np.float32)
    ends = ends.clip(0, np.asarray([width, height], np.float32))
    return np.concatenate([ends[:, 0], ends[:, 1] - ends[:, 0]], axis=1)
