"""OpenPose's people against those drawn.

The bar is what a port made of the same maps. To it, people of fewer than four keypoints are
nobody; to OpenPose's own code, and ours, people of three are people. So they are left out here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engines.grouping.openpose import group, rule_of
from engines.people import Floats
from engines.skeletons import OPENPOSE_18
from tests.parity.decoding.crowds import outcomes
from tests.parity.report import Figure

_STRIDE = 8
_PORTS_LEAST = 4  # keypoints of a person


def check(folder: Path) -> Figure:
    """Of people large enough for the port: as many matched, and no more unmatched."""
    fits, texts = zip(*outcomes(folder, "openpose-coco", _people), strict=True)
    text = "people of 4 keypoints or more matched+unmatched (the port's): " + ", ".join(texts)
    return Figure(all(fits), text)


def _people(heatmaps: Floats, fields: Floats) -> Floats:
    keypoints, _ = group(heatmaps, fields, OPENPOSE_18, _STRIDE, rule_of(OPENPOSE_18))
    large = (keypoints[:, :, 2] > 0).sum(axis=1) >= _PORTS_LEAST
    return np.asarray(keypoints[large], np.float32)
