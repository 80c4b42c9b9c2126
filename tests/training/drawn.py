"""Pictures of drawn people with their annotations, to learn from."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from engines.drawing import draw
from engines.people import Floats, People
from engines.skeletons import OPENPOSE_18
from training.config import Config

SIDE = 128
_LEAST, _MOST = np.array([8, 8]), np.array([120, 120])  # where keypoints may be
# A standing body in the order of COCO's keypoints, in shares of its height, from its nose.
_BODY = np.array(
    [
        *[(0, 0), (0.03, -0.03), (-0.03, -0.03), (0.07, -0.01), (-0.07, -0.01)],
        *[(0.13, 0.14), (-0.13, 0.14), (0.2, 0.32), (-0.2, 0.32), (0.24, 0.48), (-0.24, 0.48)],
        *[(0.08, 0.46), (-0.08, 0.46), (0.1, 0.68), (-0.1, 0.68), (0.1, 0.9), (-0.1, 0.9)],
    ]
)


def folder_of_four(folder: Path) -> Path:
    """Four pictures of one or two people on noise; gives their annotations, beside them."""
    rng = np.random.default_rng(0)
    annotations, images = [], []
    for number in range(4):
        noise = rng.integers(90, 160, (SIDE, SIDE, 3), dtype=np.uint8)
        places = [(64, 24)] if number % 2 else [(36, 24), (92, 30)]
        people = [_person(rng, place, 0.9 if number % 2 else 0.75) for place in places]
        name = f"{number}.png"
        cv2.imwrite(str(folder / name), _drawn(noise, people))
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        annotations += [
            _annotated(person, number, 10 * number + at) for at, person in enumerate(people)
        ]
    path = folder / "people.json"
    categories = [{"id": 1, "name": "person"}]
    made = {"images": images, "categories": categories, "annotations": annotations}
    path.write_text(json.dumps(made), "utf-8")
    return path


def run_of(annotations: Path, **changed: object) -> Config:
    """A run on those pictures as they are, with a small network."""
    data = {"images": annotations.parent, "annotations": annotations, "labels": 1.0}
    settings = {
        "data": [data],
        "kept": {"pictures": 4, "size": SIDE, "held_out": 0.0, "augment": False},
        "student": {"width": 0.25, "blocks": 1},
        "training": {"steps": 6, "batch": 4, "crop": SIDE, "precision": "float32", "warm_up": 2},
    }
    return Config.model_validate({**settings, **changed})


def _person(rng: np.random.Generator, nose: tuple[int, int], height: float) -> Floats:
    """(17, 2) x, y."""
    bent = _BODY + np.where(np.arange(17)[:, None] > 6, rng.uniform(-0.04, 0.04, (17, 2)), 0)
    points = np.array(nose) + bent * height * SIDE
    return np.clip(points, _LEAST, _MOST).astype(np.float32)


def _drawn(noise: np.ndarray, people: list[Floats]) -> np.ndarray:
    keypoints = np.zeros((len(people), 18, 3), np.float32)
    for at, person in enumerate(people):
        keypoints[at, list(OPENPOSE_18.coco), :2] = person
        keypoints[at, 1, :2] = person[[5, 6]].mean(axis=0)
    keypoints[:, :, 2] = 1
    return draw(noise, People.of(keypoints, np.ones(len(people), np.float32)), OPENPOSE_18)


def _annotated(person: Floats, image: int, number: int) -> dict[str, object]:
    low, side = person.min(axis=0), np.ptp(person, axis=0)
    return {
        "id": number + 1,
        "image_id": image,
        "category_id": 1,
        "iscrowd": 0,
        "area": float(side.prod()),
        "bbox": [*low.tolist(), *side.tolist()],
        "num_keypoints": 17,
        "keypoints": np.column_stack([person, np.full(17, 2)]).ravel().tolist(),
    }


def silent(done: int, total: int) -> None:
    """Progress that nobody looks at."""
