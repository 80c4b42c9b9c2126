"""DEKR's maps to people, without enlarging the maps.

Z. Geng et al., "Bottom-Up Human Pose Estimation Via Disentangled Keypoint Regression", 2021.
The rule is that of the authors' code, HRNet/DEKR (lib/core/inference.py and lib/core/nms.py).
They enlarge every heatmap to the input's size and then read one value for each keypoint of
at most a few dozen people; here only these values are interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from engines.grouping.dekr_nms import keep
from engines.skeletons import Skeleton

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

STRIDE = 4  # network-input pixels per map pixel


@dataclass(frozen=True, slots=True)
class DekrRule:
    """Every constant of the decoding; the defaults are the authors' for COCO.

    Attributes:
        threshold: a centre's heat is above it.
        max_people: of each scale, and in all.
        windows: a centre is the highest of a square window; from which mean side of the
            map, in map pixels, on which window's side. Larger maps come first.
        near: two keypoints are near each other when their distance is below this share of
            the pose's diagonal.
        near_over_scales: the same, where there are several scales.
        shared: two poses are of one person when more of their keypoints than this are near.
        decrease: what the scores of scales other than 1 are worth.
    """

    threshold: float = 0.01
    max_people: int = 30
    windows: tuple[tuple[int, int], ...] = ((300, 7), (200, 5), (0, 3))
    near: float = 0.05
    near_over_scales: float = 0.15
    shared: int = 8
    decrease: float = 0.9


COCO = DekrRule()
CROWDPOSE = DekrRule(shared=7, decrease=0.8)


@dataclass(frozen=True, slots=True)
class Pass:
    """What the network says of a picture at one scale, alone or with its mirrored copy.

    Attributes:
        heatmaps: (N, K + 1, h, w), the centre's last. N is 1, or 2 for the flip test: the
            second is the answer to the mirrored picture, still mirrored, which was moved
            left by `STRIDE - 1` pixels so that map pixels lie upon map pixels.
        offsets: (N, 2K, h, w), x and y of each keypoint: a map pixel's place less its person's
            keypoint, in map pixels.
        scale: the input's size as a multiple of the input's of scale 1.
    """

    heatmaps: Floats
    offsets: Floats
    scale: float = 1.0


def decode(passes: Sequence[Pass], skeleton: Skeleton, rule: DekrRule) -> tuple[Floats, Floats]:
    """People of one picture.

    Args:
        passes: one for each scale, which must have scale 1 among them. Nothing is averaged
            yet: both answers of a flip test are read where a centre is.
        skeleton: keypoints and flip pairs.
        rule: the constants.

    Returns:
        keypoints (P, K, 3) x, y, score in pixels of the network's input of scale 1, where
        map pixel i lies upon pixel 4i; every keypoint has a place, be it outside of the
        picture, and scores that are no better than noise can be slightly negative. And
        scores (P,): the mean over the keypoints.
    """
    passes = sorted(passes, key=lambda one: -one.scale)
    flip = np.array(skeleton.mirrored)
    found = [_candidates(one, flip, rule) for one in passes]
    poses = np.concatenate([pose for pose, _ in found])
    centres = _comparable([score for _, score in found], passes, rule.decrease)
    heat = _heat(passes, poses, flip)

    near = rule.near if len(passes) == 1 else rule.near_over_scales
    kept = keep(poses, heat.mean(axis=1), near, rule.shared)[: rule.max_people]
    scores = centres[kept, None] * heat[kept]
    keypoints = np.concatenate([poses[kept], scores[:, :, None]], axis=2)
    return keypoints, scores.mean(axis=1)


def _candidates(one: Pass, flip: Ints, rule: DekrRule) -> tuple[Floats, Floats]:
    """(n, K, 2) poses in input pixels of scale 1 and (n,) heat of their centres, best first."""
    centre = one.heatmaps[0, -1]
    if len(one.heatmaps) == 2:
        centre = (centre + one.heatmaps[1, -1, :, ::-1]) / 2
    height, width = centre.shape
    window = next(side for size, side in rule.windows if (height + width) / 2 > size)
    highest = cv2.dilate(centre, np.ones((window, window), np.uint8))
    peaks = np.flatnonzero((centre == highest) & (centre > rule.threshold))
    scores = centre.ravel()[peaks]
    best = np.argsort(-scores, kind="stable")[: rule.max_people]
    y, x = np.divmod(peaks[best], width)

    offsets = one.offsets[0, :, y, x].reshape(-1, len(flip), 2)
    if len(one.offsets) == 2:
        mirrored = one.offsets[1, :, y, width - 1 - x].reshape(-1, len(flip), 2)[:, flip]
        offsets = (offsets + mirrored * np.array([-1, 1], np.float32)) / np.float32(2)
    centres = np.stack([x, y], axis=1).astype(np.float32)
    return (centres[:, None] - offsets) * np.float32(STRIDE / one.scale), scores[best]


def _comparable(scores: list[Floats], passes: Sequence[Pass], decrease: float) -> Floats:
    """Centres' scores of all scales in turn, those of the others fitted to those of scale 1."""
    own = next(score for score, one in zip(scores, passes, strict=True) if one.scale == 1)
    best = own.max() if len(own) else 1
    fitted = [
        score if one.scale == 1 else score / score.max(initial=0) * (best * decrease)
        for score, one in zip(scores, passes, strict=True)
    ]
    return np.concatenate(fitted).astype(np.float32)


def _heat(passes: Sequence[Pass], poses: Floats, flip: Ints) -> Floats:
    """(n, K) heat at the keypoints' places, averaged over all passes.

    A place is rounded down to a pixel of the input of scale 1, or the nearest one inside.
    """
    shape = next(one.heatmaps.shape for one in passes if one.scale == 1)
    full = STRIDE * np.array([shape[3], shape[2]])
    places = np.clip(np.floor(poses), 0, full - 1)
    heat = np.zeros(poses.shape[:2], np.float32)
    for one in passes:
        heat += _enlarged(one.heatmaps[0], np.arange(len(flip)), places, full) / len(one.heatmaps)
        if len(one.heatmaps) == 2:
            heat += _enlarged(one.heatmaps[1, :, :, ::-1], flip, places, full) / 2
    return heat / np.float32(len(passes))


def _enlarged(heatmaps: Floats, channels: Ints, places: Floats, full: Ints) -> Floats:
    """(n, K) values at whole `places` of the channels, enlarged bilinearly to size `full`.

    As in the authors' `up_interpolate`, map pixel i comes to lie upon i * step, and the last
    one's value goes on to the border.
    """
    size = np.array(heatmaps.shape[:0:-1])
    ends = size - 1
    source = places * (ends / (full - full // size))
    low = source.astype(np.intp)
    x0, y0 = np.moveaxis(low, -1, 0)
    x1, y1 = np.moveaxis(np.minimum(low + 1, ends), -1, 0)
    right, down = np.moveaxis((source - low).astype(np.float32), -1, 0)
    top = (1 - right) * heatmaps[channels, y0, x0] + right * heatmaps[channels, y0, x1]
    bottom = (1 - right) * heatmaps[channels, y1, x0] + right * heatmaps[channels, y1, x1]
    values: Floats = (1 - down) * top + down * bottom
    return values
