"""COCO keypoint accuracy of a model on a folder of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from engines.model import Model, run
from engines.people import People
from service.images import ImageLimits, decode

# COCOeval's `stats`, https://cocodataset.org/#keypoints-eval
_STATS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


def evaluate(
    model: Model,
    annotations: Path,
    images: Path,
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
) -> dict[str, float]:
    """Average precision and recall over object keypoint similarity.

    Args:
        model: its skeleton must have COCO's keypoints.
        annotations: COCO's person keypoints, JSON.
        images: folder of the pictures they name.
        track: wraps the list of pictures, to show progress.

    Returns:
        AP, AP50, AP75, APM, APL, AR, AR50, AR75, ARM and ARL, 0 to 1 (-1 where there is
        nothing to measure); the number of images, and of people found.

    Raises:
        OSError: a file is missing. ValueError: the annotations are not COCO's keypoints.
    """
    truth = _read(annotations)
    results: list[dict[str, Any]] = []
    for picture in track(truth["images"]):
        image = decode((images / picture["file_name"]).read_bytes(), ImageLimits())
        results += _results(picture["id"], run(model, image), model.entry.skeleton.coco)
    stats = _score(truth, results) if results else dict.fromkeys(_STATS, 0.0)
    return {**stats, "images": len(truth["images"]), "people": len(results)}


def _read(annotations: Path) -> dict[str, Any]:
    try:
        truth = json.loads(annotations.read_text("utf-8"))
        if not all("keypoints" in person for person in truth["annotations"]) or not truth["images"]:
            raise KeyError("keypoints")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{annotations} is not a COCO person keypoints file: {error}") from error
    return dict(truth)


def _results(image_id: int, people: People, coco: tuple[int, ...]) -> list[dict[str, Any]]:
    keypoints = people.keypoints[:, list(coco)].astype(np.float64)
    keypoints[:, :, 2] = keypoints[:, :, 2] > 0
    return [
        {"image_id": image_id, "category_id": 1, "keypoints": points.ravel().tolist(), "score": s}
        for points, s in zip(keypoints, people.scores.tolist(), strict=True)
    ]


def _score(truth: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, float]:
    annotated = COCO(truth, print_function=_quiet)
    scored = COCOeval_faster(
        annotated, annotated.loadRes(results), "keypoints", print_function=_quiet
    )
    scored.evaluate()
    scored.accumulate()
    scored.summarize()
    return {name: round(float(value), 4) for name, value in zip(_STATS, scored.stats, strict=False)}


def _quiet(*_: object, **__: object) -> None:
    """The library's own printing."""
