"""A top-down model to whom people are lights: of a crop it sees how bright the middle is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engines.catalog import find
from engines.geometry import Pixels
from engines.model import Model
from engines.models.top_down import TopDown, TopDownRule
from engines.people import People
from engines.runtime.engine import Batch, Engine, Maps
from engines.skeletons import COCO_17
from engines.steps import Infer, Steps
from tests.service.fakes import PATIENCE_S, POISON, AtOnce
from tests.service.pictures import encode
from tests.service.serving import Gate, model_of

POSES, DETECTOR = "pp-tinypose-256x192", "yolox-nano"
KEYPOINTS = len(COCO_17.keypoints)

Box = tuple[float, float, float, float]
LIGHTS: dict[Box, int] = {
    (10, 8, 16, 24): 102,
    (40, 8, 16, 24): 204,
    (70, 8, 16, 24): 77,
    (100, 8, 16, 24): 153,
}
BOXES = tuple(LIGHTS)
BEST_FIRST = sorted(BOXES, key=lambda box: -LIGHTS[box])
SCORES = [light / 255 for light in LIGHTS.values()]
WHOLE: Box = (0, 0, 128, 40)  # its middle is dark


def picture(lights: dict[Box, int] = LIGHTS) -> bytes:
    """A dark picture with these boxes of that brightness."""
    pixels = np.zeros((40, 128, 3), np.uint8)
    for (x, y, width, height), light in lights.items():
        pixels[int(y) : int(y + height), int(x) : int(x + width)] = light
    return encode(pixels, "PNG")


PICTURE = picture()
POISONED = picture({**LIGHTS, BOXES[0]: POISON})


def as_text(*boxes: Box) -> str:
    """As a request writes them."""
    return ";".join(",".join(map(str, box)) for box in boxes)


def centre(box: Sequence[float]) -> tuple[float, float]:
    """Where every keypoint of the person in a box is seen."""
    x, y, width, height = box
    return x + width / 2, y + height / 2


class Eyes(AtOnce):
    """Sees every keypoint in the middle of a crop, as sure as it is bright there.

    Its calls end only while it is open.
    """

    name = "test"

    def __init__(self, max_batch: int = 4) -> None:
        self.max_batch = max_batch
        self.batches: list[int] = []
        self.opened = threading.Event()
        self.opened.set()

    def infer(self, batch: Batch) -> Maps:
        count, height, width = batch.shape[:3]
        self.batches.append(count)
        if not self.opened.wait(PATIENCE_S):
            raise TimeoutError("the test never opened the eyes")
        lights = batch[:, height // 2, width // 2, 0]
        if POISON in lights:
            raise RuntimeError("a fault of the driver")
        heatmaps = np.zeros((count, KEYPOINTS, height // 4, width // 4), np.float32)
        heatmaps[:, :, height // 8, width // 8] = lights[:, None] / 255
        return {"heatmaps": heatmaps}


def seeing(eyes: Eyes, *, flip: bool = False) -> Model:
    """The top-down model with these eyes."""
    system = TopDown(COCO_17, 48, 64, POSES, TopDownRule(flip=flip))
    return Model(find(POSES), system, {POSES: eyes})


def detecting(*boxes: Box, engine: Engine | None = None) -> Model:
    """A detector that finds people in these boxes, whatever it is shown."""
    return Model(find(DETECTOR), _Finding(boxes), {DETECTOR: engine or _open()})


def standing() -> Model:
    """A bottom-up model that finds somebody in the last of the lights, and in the first."""
    return model_of(_open(), _standing)


def _standing(image: Pixels) -> Steps:
    yield Infer("network", image[None, :8, :8])
    keypoints = np.zeros((2, 18, 3), np.float32)
    keypoints[:, :2, 2] = 1
    keypoints[0, :2, :2] = (103, 10), (113, 30)
    keypoints[1, :2, :2] = (13, 10), (23, 30)
    return People.of(keypoints, np.array([0.9, 0.5], np.float32))


def _open() -> Gate:
    gate = Gate()
    gate.opened.set()
    return gate


@dataclass(frozen=True, slots=True)
class _Finding:
    boxes: tuple[Box, ...]

    def steps(self, image: Pixels) -> Steps:
        yield Infer(DETECTOR, image[None, :8, :8])
        return People.at(self.boxes)

    def detect(self, image: Pixels) -> Steps:
        return self.steps(image)
