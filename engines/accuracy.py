"""COCO keypoint accuracy of a model on a folder of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from engines.geometry import Pixels
from engines.model import Model, run
from engines.people import People

# COCOeval's `stats`, https://cocodataset.org/#keypoints-eval
_VALUES = 3 * 17  # x, y and visibility of each keypoint
_BOX = 4  # x, y, width and height
_STATS = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")


def evaluate(
    model: Model,
    annotations: Path,
    images: Path,
    decode: Callable[[Path], Pixels],
    *,
    track: Callable[[Sequence[Any]], Iterable[Any]] = iter,
    detector: Model | None = None,
    true_boxes: bool = False,
) -> dict[str, float]:
    """Average precision and recall over object keypoint similarity.

    Args:
        model: its skeleton must have COCO's keypoints.
        annotations: COCO's person keypoints, JSON.
        images: folder of the pictures they name.
        decode: reads a picture, (H, W, 3) uint8 BGR as displayed.
        track: wraps the list of pictures, to show progress.
        detector: finds people for a model that needs boxes; None looks at the whole image.
        true_boxes: give such a model the annotated boxes instead, of people with keypoints.

    Returns:
        AP, AP50, AP75, APM, APL, AR, AR50, AR75, ARM and ARL, 0 to 1 (-1 where there is
        nothing to measure); the number of images, and of people found.

    Raises:
        OSError: a file is missing. ValueError: the annotations are not COCO's keypoints, the
            model has not those; and what `decode` raises.
    """
    if not model.entry.skeleton.coco:
        raise ValueError(
            f"{model.entry.name} has {model.entry.skeleton.name}, which lacks COCO's keypoints: "
            "choose a model that has them"
        )
    truth = _read(annotations)
    boxes = _boxes(truth) if true_boxes else {}
    results: list[dict[str, Any]] = []
    for picture in track(truth["images"]):
        found = People.at(boxes.get(picture["id"], [])) if true_boxes else detector
        people = run(model, decode(images / picture["file_name"]), found)
        results += _results(picture["id"], people, model.entry.skeleton.coco)
    stats = _score(truth, results) if results else dict.fromkeys(_STATS, 0.0)
    return {**stats, "images": len(truth["images"]), "people": len(results)}


def _boxes(truth: dict[str, Any]) -> dict[int, list[list[float]]]:
    """By image: the boxes of people who have keypoints, as the authors of HRNet evaluate."""
    boxes: dict[int, list[list[float]]] = {}
    for person in truth["annotations"]:
        if any(person["keypoints"][2::3]) and not person.get("iscrowd"):
            boxes.setdefault(person["image_id"], []).append(person["bbox"])
    return boxes


def _read(annotations: Path) -> dict[str, Any]:
    try:
        truth = json.loads(annotations.read_text("utf-8"))
        complete = (
            truth["images"]
            and truth["categories"]
            and all({"id", "file_name"} <= picture.keys() for picture in truth["images"])
            and all(_is_person(person) for person in truth["annotations"])
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_coco(annotations) from error
    if not complete:
        raise _not_coco(annotations)
    return dict(truth)


def _is_person(annotation: dict[str, Any]) -> bool:
    return (
        {"id", "image_id", "area"} <= annotation.keys()
        and len(annotation["keypoints"]) == _VALUES
        and len(annotation["bbox"]) == _BOX
    )


def _not_coco(annotations: Path) -> ValueError:
    return ValueError(
        f"{annotations} is not a COCO person keypoints file; it needs images (id, file_name), "
        f"categories, and annotations (id, image_id, area, bbox) with {_VALUES} keypoint values"
    )


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
