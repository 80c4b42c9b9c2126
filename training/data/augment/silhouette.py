"""Where a person is, as far as keypoints tell."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from engines.geometry import Floats
from engines.skeletons import Skeleton
from training.data.scene import extent

_TORSO = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
# Shares of the distance from shoulders to hips, roughly as people are built.
_LIMB = 0.35  # thickness of a limb
_HEAD = 0.3  # radius of the head
_NECK = 0.45  # from the shoulders' middle to the head's
_SOFT = 0.05  # deviation of the blurred edge
_LEAST_TORSO = 0.25  # of a person's extent: a torso seen from above is no measure

Mask = npt.NDArray[np.uint8]


def silhouette(person: Floats, skeleton: Skeleton, size: tuple[int, int]) -> Mask:
    """(H, W) uint8, 255 inside of a person (K, 3) and falling to 0 outside.

    Limbs drawn thick, the torso filled, and a head: around the nose, or, where faces are not
    annotated, above the shoulders in the direction of the torso.
    """
    drawn = np.zeros(size[::-1], np.uint8)
    seen = person[:, 2] > 0
    points = np.rint(person[:, :2]).astype(np.int32)
    torso, up = _torso(person, skeleton)
    thickness = max(2, round(_LIMB * torso))
    for first, second in skeleton.drawn_limbs:
        if seen[first] and seen[second]:
            cv2.line(drawn, points[first].tolist(), points[second].tolist(), 255, thickness)
    corners = [skeleton.keypoints.index(name) for name in _TORSO]
    known = points[[part for part in corners if seen[part]]]
    if len(known) > 1:
        outline = cv2.convexHull(known)
        cv2.fillConvexPoly(drawn, outline, 255)
        cv2.polylines(drawn, [outline], True, 255, max(2, thickness // 2))
    head = _head(person, skeleton, up)
    if head is not None:
        cv2.circle(drawn, np.rint(head).astype(int).tolist(), round(_HEAD * torso) + 1, 255, -1)
    return np.asarray(cv2.GaussianBlur(drawn, (0, 0), max(0.8, _SOFT * torso)), np.uint8)


def _torso(person: Floats, skeleton: Skeleton) -> tuple[float, Floats | None]:
    """Length from hips to shoulders, and that line, if both are labelled."""
    low, high = extent(person)
    least = _LEAST_TORSO * float((high - low).max())
    shoulders, hips = _middle(person, skeleton, _TORSO[:2]), _middle(person, skeleton, _TORSO[2:])
    if shoulders is None or hips is None:
        return least, None
    return max(least, float(np.hypot(*(shoulders - hips)))), shoulders - hips


def _head(person: Floats, skeleton: Skeleton, up: Floats | None) -> Floats | None:
    nose = _middle(person, skeleton, ("nose",))
    shoulders = _middle(person, skeleton, _TORSO[:2])
    if nose is None and shoulders is not None and up is not None:
        return shoulders + np.float32(_NECK) * up
    return nose


def _middle(person: Floats, skeleton: Skeleton, names: tuple[str, ...]) -> Floats | None:
    """Mean x, y of these keypoints of a person, if they are all labelled."""
    known = [name for name in names if name in skeleton.keypoints]
    at = person[[skeleton.keypoints.index(name) for name in known]]
    if not len(at) or not at[:, 2].all():
        return None
    middle: Floats = at[:, :2].mean(axis=0)
    return middle
