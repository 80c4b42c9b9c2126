"""OpenPose's people against those drawn.

The bar is what a port made of the same maps. To it, people of fewer than four keypoints are
nobody; to OpenPose's own code, and ours, people of three are people. So they are left out here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from engines.grouping.openpose import group, rule_of
from engines.skeletons import OPENPOSE_18
from tests.parity.matching import match
from tests.parity.report import Figure

_STRIDE = 8
_PORTS_LEAST = 4  # keypoints of a person


def check(folder: Path) -> Figure:
    """Of people large enough for the port: as many matched, and no more unmatched."""
    scenes = json.loads((folder / "decoding" / "scenes.json").read_text("utf-8"))
    passed, texts = True, []
    with np.load(folder / "decoding" / "openpose-coco.npz") as stored:
        for scene in scenes["openpose-coco"]:
            name, bar = scene["scene"], scene["reference"]
            heatmaps = stored[f"{name}_heatmaps"].astype(np.float32)
            fields = stored[f"{name}_pafs"].astype(np.float32)
            keypoints, _ = group(heatmaps, fields, OPENPOSE_18, _STRIDE, rule_of(OPENPOSE_18))
            keypoints = keypoints[(keypoints[:, :, 2] > 0).sum(axis=1) >= _PORTS_LEAST]
            people = keypoints[:, list(OPENPOSE_18.coco)]
            matched, unmatched = match(stored[f"{name}_truth"], people)
            passed &= matched >= bar["matched"] and unmatched <= bar["unmatched_predictions"]
            texts.append(
                f"{name} {matched}+{unmatched} ({bar['matched']}+{bar['unmatched_predictions']})"
            )
    return Figure(
        passed, "people of 4 keypoints or more matched+unmatched (the port's): " + ", ".join(texts)
    )
