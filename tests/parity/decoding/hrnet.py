"""HRNet's frames around boxes, and the keypoints of its heatmaps, value by value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engines.crops import Frames
from engines.grouping.top_down import average_flipped, decode
from engines.people import Floats
from engines.skeletons import COCO_17
from tests.parity.report import Figure

_PIXELS, _SCORE = 1e-3, 1e-4
_HEIGHT, _WIDTH = 256, 192


def check(folder: Path) -> Figure:
    """The same centres, scales and transforms; the same keypoints, also with the flip test."""
    scenes = json.loads((folder / "decoding" / "scenes.json").read_text("utf-8"))["hrnet"]
    with np.load(folder / "decoding" / "hrnet.npz") as stored:
        errors = np.array([_errors(scene["scene"], stored) for scene in scenes])
    frames, pixels, score = errors.max(axis=0)
    return Figure(
        bool(frames <= _PIXELS and pixels <= _PIXELS and score <= _SCORE),
        f"at most {frames:.1e} in frames, {pixels:.1e} pixels, {score:.1e} of score",
    )


def _errors(scene: str, stored: Mapping[str, np.ndarray]) -> tuple[float, float, float]:
    """The largest differences of frames, keypoints and scores, in pixels, pixels and 1."""
    frames = Frames.around(stored[f"{scene}_boxes_xywh"], _WIDTH / _HEIGHT)
    of_frames = max(
        _worst(frames.centres, stored[f"{scene}_center"]),
        _worst(frames.sizes, 200 * stored[f"{scene}_scale"]),
        _worst(frames.affines(_WIDTH, _HEIGHT), stored[f"{scene}_affine_256x192"]),
    )
    heatmaps = stored[f"{scene}_heatmaps"].astype(np.float32)
    flipped = stored[f"{scene}_flipped_pass_heatmaps"].astype(np.float32)
    averaged = average_flipped(heatmaps, flipped, COCO_17.mirrored)
    ours = {"": _on_image(heatmaps, frames), "flip_": _on_image(averaged, frames)}
    return (
        of_frames,
        max(_worst(it[:, :, :2], stored[f"{scene}_{of}preds"]) for of, it in ours.items()),
        max(_worst(it[:, :, 2:], stored[f"{scene}_{of}maxvals"]) for of, it in ours.items()),
    )


def _on_image(heatmaps: Floats, frames: Frames) -> Floats:
    keypoints = decode(heatmaps)
    height, width = heatmaps.shape[2:]
    keypoints[:, :, :2] = frames.to_image(keypoints[:, :, :2], width, height)
    return keypoints


def _worst(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max())
