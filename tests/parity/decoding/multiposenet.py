"""MultiPoseNet's candidates and people, value by value, with a made-up Pose Residual Network."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from engines.grouping.multiposenet import MultiPoseNetRule, find_candidates
from engines.grouping.person_assignment import assign, place, prn_inputs
from engines.people import Floats
from engines.skeletons import OPENPOSE_18
from tests.parity.report import Figure

_PIXELS, _SCORE = 1e-3, 1e-4
_SEED = "A"
_NECK = OPENPOSE_18.keypoints.index("neck")

Arrays = Mapping[str, np.ndarray]
Prn = Callable[[Floats], Floats]


def check(folder: Path) -> Figure:
    """The same candidates in every heatmap, and of the original's boxes the same people."""
    scenes = json.loads((folder / "decoding" / "scenes.json").read_text("utf-8"))
    prn = made_up_prn(folder)
    with np.load(folder / "decoding" / "multiposenet.npz") as stored:
        worst = [_differences(stored, scene["scene"], prn) for scene in scenes["multiposenet"]]
    pixels, score = np.max(worst, axis=0)
    return Figure(
        bool(pixels <= _PIXELS and score <= _SCORE), f"{pixels:.1e} pixels, {score:.1e} of score"
    )


def made_up_prn(folder: Path) -> Prn:
    """The Pose Residual Network with the fixtures' parameters, in NumPy."""
    tensor = runpy.run_path(str(folder / "fill.py"))["tensor"]
    keys = json.loads((folder / "networks" / "prn.keys.json").read_text("utf-8"))
    filled: dict[str, Floats] = {key: tensor(key, tuple(shape), _SEED) for key, shape in keys}

    def run(grids: Floats) -> Floats:
        given = grids.reshape(len(grids), -1)
        values = given
        for layer in ("dens1", "bneck", "dens2"):
            values = values @ filled[f"{layer}.weight"].T + filled[f"{layer}.bias"]
            values = np.maximum(values, 0)
        values = values + given
        shares = np.exp(values - values.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        return np.asarray(shares.reshape(grids.shape), np.float32)

    return run


def _differences(stored: Arrays, scene: str, prn: Prn) -> tuple[float, float]:
    """Of places in pixels, and of scores; infinite where there are more or fewer."""
    rule = MultiPoseNetRule()
    heatmaps = stored[f"{scene}_heatmaps"].astype(np.float32)
    every = find_candidates(heatmaps, rule)
    expected = stored[f"{scene}_peaks_x_y_score_id_type"]
    if every.part.tolist() != expected[:, 4].tolist():
        return np.inf, np.inf
    candidates = find_candidates(np.delete(heatmaps, _NECK, axis=0), rule)
    boxes = stored[f"{scene}_boxes_xyxy"]
    placed = place(candidates, boxes, rule.reach)
    outputs = prn(prn_inputs(placed, len(boxes)))
    keypoints, scores = assign(outputs, placed, candidates, boxes)
    people = stored[f"{scene}_person_keypoints"]
    pixels = [every.xy - expected[:, :2], keypoints[:, :, :2] - people[:, :, :2]]
    # the original gives every keypoint that it finds a score of 1
    found: np.ndarray = (keypoints[:, :, 2] > 0) - people[:, :, 2]
    score = [every.score - expected[:, 2], found, scores - stored[f"{scene}_person_scores"]]
    return _largest(pixels), _largest(score)


def _largest(differences: list[np.ndarray]) -> float:
    return float(max(np.abs(one).max() for one in differences))
