"""Lightweight OpenPose's candidates, value by value, and its people against those drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from engines.grouping.part_affinity import PartAffinityRule, group
from engines.grouping.peaks import PeakRule, find_peaks
from engines.skeletons import OPENPOSE_18
from tests.parity.matching import match
from tests.parity.report import Figure

_PIXELS, _SCORE = 1e-3, 1e-4
_STRIDE = 8


def check(folder: Path) -> Figure:
    """The same candidates; of the people, as many matched and no more unmatched."""
    scenes = json.loads((folder / "decoding" / "scenes.json").read_text("utf-8"))
    passed, texts = True, []
    with np.load(folder / "decoding" / "lightweight-openpose.npz") as stored:
        for scene in scenes["lightweight-openpose"]:
            name, bar = scene["scene"], scene["reference"]
            heatmaps = stored[f"{name}_heatmaps"].astype(np.float32)
            fields = stored[f"{name}_pafs"].astype(np.float32)
            same = same_candidates(heatmaps, stored[f"{name}_keypoints"])
            keypoints, _ = group(heatmaps, fields, OPENPOSE_18, _STRIDE, PartAffinityRule())
            people = keypoints[:, list(OPENPOSE_18.coco)]
            matched, unmatched = match(stored[f"{name}_truth"], people)
            fits = matched >= bar["matched"] and unmatched <= bar["unmatched_predictions"]
            passed &= same and fits
            texts.append(
                f"{name} {matched}+{unmatched} ({bar['matched']}+{bar['unmatched_predictions']})"
                + ("" if same else " with other candidates")
            )
    return Figure(passed, "people matched+unmatched (original's): " + ", ".join(texts))


def same_candidates(heatmaps: np.ndarray, expected: np.ndarray) -> bool:
    """Whether candidates are the original's (n, 4) x, y, score, running number."""
    expected = expected.reshape(-1, 4)
    peaks = find_peaks(heatmaps[: len(OPENPOSE_18.keypoints)], PeakRule())
    return bool(
        len(peaks.part) == len(expected)
        and np.allclose(peaks.xy, expected[:, :2], rtol=0, atol=_PIXELS)
        and np.allclose(peaks.score, expected[:, 2], rtol=0, atol=_SCORE)
    )
