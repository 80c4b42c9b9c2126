"""DEKR's people, value by value, without and with the flip test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engines.grouping.dekr import COCO, Pass, decode
from engines.people import Floats
from engines.skeletons import COCO_17
from tests.parity.report import Figure

_PIXELS, _SCORE = 1e-3, 1e-4


def check(folder: Path) -> Figure:
    """The same people in any order: places, keypoints' scores and people's scores."""
    scenes = json.loads((folder / "decoding" / "scenes.json").read_text("utf-8"))["dekr-coco"]
    apart, people = np.zeros(2), 0
    with np.load(folder / "decoding" / "dekr-coco.npz") as stored:
        for name in (scene["scene"] for scene in scenes):
            for kind, one in passes_of(stored, name).items():
                expected = stored[f"{name}{kind}_poses"], stored[f"{name}{kind}_scores"]
                ours = decode([one], COCO_17, COCO)
                apart = np.maximum(apart, difference(*ours, *expected))
                people += len(expected[0])
    return Figure(
        bool((apart <= (_PIXELS, _SCORE)).all()),
        f"{people} people, {apart[0]:.1e} pixels and {apart[1]:.1e} of score apart at most",
    )


def passes_of(stored: Mapping[str, np.ndarray], scene: str) -> dict[str, Pass]:
    """A scene's maps by what its expected arrays' names have in them: alone, and flip-tested."""
    maps = [
        [stored[f"{scene}{kind}_{name}"].astype(np.float32) for kind in ("", "_flip")]
        for name in ("heatmaps", "offsets")
    ]
    heatmaps, offsets = (np.stack(both) for both in maps)
    return {"": Pass(heatmaps[:1], offsets[:1]), "_flip": Pass(heatmaps, offsets)}


def difference(
    keypoints: Floats, scores: Floats, expected: np.ndarray, expected_scores: np.ndarray
) -> tuple[float, float]:
    """The largest in pixels and in score of the same people in any order.

    Infinite where their number is another. Two people nearest to one of the others' fail as
    well: somebody then is far from whom he is left with.
    """
    if keypoints.shape != expected.shape:
        return np.inf, np.inf
    left, pixels, score = list(range(len(expected))), 0.0, 0.0
    for person, own in zip(keypoints, scores, strict=True):
        gaps = np.abs(expected[left] - person)
        nearest = int(gaps.max(axis=(1, 2)).argmin())
        pixels = max(pixels, float(gaps[nearest, :, :2].max()))
        it = left.pop(nearest)
        score = max(score, float(gaps[nearest, :, 2].max()), abs(float(own - expected_scores[it])))
    return pixels, score
