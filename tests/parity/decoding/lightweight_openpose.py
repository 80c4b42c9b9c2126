"""Lightweight OpenPose's candidates, value by value, and its people against those drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engines.grouping.part_affinity import PartAffinityRule, group
from engines.grouping.peaks import PeakRule, find_peaks
from engines.people import Floats
from engines.skeletons import OPENPOSE_18
from tests.parity.decoding.crowds import outcomes
from tests.parity.report import Figure

_PIXELS, _SCORE = 1e-3, 1e-4
_STRIDE = 8
_SYSTEM = "lightweight-openpose"


def check(folder: Path) -> Figure:
    """The same candidates; of the people, as many matched and no more unmatched."""
    fits, texts = zip(*outcomes(folder, _SYSTEM, _people), strict=True)
    others = list(_other_candidates(folder))
    text = "people matched+unmatched (original's): " + ", ".join(texts)
    if others:
        text += f"; other candidates in {', '.join(others)}"
    return Figure(all(fits) and not others, text)


def _people(heatmaps: Floats, fields: Floats) -> Floats:
    keypoints, _ = group(heatmaps, fields, OPENPOSE_18, _STRIDE, PartAffinityRule())
    return keypoints


def _other_candidates(folder: Path) -> Iterator[str]:
    """Names of the scenes whose candidates are not the original's."""
    with np.load(folder / "decoding" / f"{_SYSTEM}.npz") as stored:
        for name in (key.removesuffix("_heatmaps") for key in stored if "_heatmaps" in key):
            heatmaps = stored[f"{name}_heatmaps"].astype(np.float32)
            if not same_candidates(heatmaps, stored[f"{name}_keypoints"]):
                yield name


def same_candidates(heatmaps: np.ndarray, expected: np.ndarray) -> bool:
    """Whether candidates are the original's (n, 4) x, y, score, running number."""
    expected = expected.reshape(-1, 4)
    peaks = find_peaks(heatmaps[: len(OPENPOSE_18.keypoints)], PeakRule())
    return bool(
        len(peaks.part) == len(expected)
        and np.allclose(peaks.xy, expected[:, :2], rtol=0, atol=_PIXELS)
        and np.allclose(peaks.score, expected[:, 2], rtol=0, atol=_SCORE)
    )
