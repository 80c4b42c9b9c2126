"""The part affinity systems' scenes: people that are found against those drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from engines.people import Floats
from engines.skeletons import OPENPOSE_18
from tests.parity.matching import match

Group = Callable[[Floats, Floats], Floats]
"""(P, 18, 3) keypoints of heatmaps and part affinity fields."""


def outcomes(folder: Path, system: str, group: Group) -> Iterator[tuple[bool, str]]:
    """Of each scene, whether as many people are matched as its bar has, with no more unmatched."""
    scenes = json.loads((folder / "decoding" / "scenes.json").read_text("utf-8"))
    with np.load(folder / "decoding" / f"{system}.npz") as stored:
        for scene in scenes[system]:
            name, bar = scene["scene"], scene["reference"]
            maps = (stored[f"{name}_{kind}"].astype(np.float32) for kind in ("heatmaps", "pafs"))
            people = group(*maps)[:, list(OPENPOSE_18.coco)]
            matched, unmatched = match(stored[f"{name}_truth"], people)
            fits = matched >= bar["matched"] and unmatched <= bar["unmatched_predictions"]
            yield (
                fits,
                f"{name} {matched}+{unmatched} ({bar['matched']}+{bar['unmatched_predictions']})",
            )
