"""What a network gives, by the names and in the form its fixture stores it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engines.grouping.anchors import anchors, boxes

AsStored = Callable[[Any, np.ndarray], Mapping[str, np.ndarray]]
"""Arrays by the fixture's names, from what the network gives and what it was given."""


def named(given: Any, _: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of a named tuple, as they are."""
    return {name: value.numpy() for name, value in given._asdict().items()}


def _net_output(given: Any, _: np.ndarray) -> dict[str, np.ndarray]:
    """Caffe's one output: heatmaps, then part affinity fields."""
    return {"net_output": np.concatenate([given.heatmaps.numpy(), given.pafs.numpy()], axis=1)}


def _with_boxes(given: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """MultiPoseNet's predictions, with its anchors and the boxes that small deltas place."""
    predictions = named(given, image)
    height, width = image.shape[2:]
    placed = anchors(height, width)
    deltas = predictions["box_deltas"][0] * np.float32(0.02)
    return {
        **predictions,
        "anchors": placed[None],
        "boxes_of_deltas_times_0.02": boxes(placed, deltas, height, width)[None],
    }


def _with_input(given: Any, grids: np.ndarray) -> dict[str, np.ndarray]:
    """The Pose Residual Network's grids, in and out."""
    return {"input": grids, "output": given.numpy()}


BY_NETWORK: dict[str, AsStored] = {
    "openpose-coco": _net_output,
    "openpose-mpi": _net_output,
    "openpose-body25": _net_output,
    "multiposenet-resnet50": _with_boxes,
    "multiposenet-resnet101": _with_boxes,
    "prn": _with_input,
}
