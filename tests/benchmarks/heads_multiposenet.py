"""MultiPoseNet up to the boxes and candidates, without a head and with one."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.grouping import multiposenet
from engines.grouping.anchors import anchors
from engines.grouping.anchors import boxes as place_boxes
from engines.grouping.box_nms import nms
from engines.grouping.multiposenet import Candidates
from engines.networks.multiposenet import MultiPoseNet
from engines.people import Floats
from tests.benchmarks.heads_case import Case, Head, Maps, People
from tests.benchmarks.heads_part_affinity import around, highest

_HEIGHT, _WIDTH = 480, 640
_BOXES = 1000  # as many as the product looks at
_HEATMAPS, _NECK = 18, 1
_REACH = 2
_OUTPUTS = ["scores", "anchor", "deltas", "place", "around"]
_SURE = 18
_RULE = multiposenet.MultiPoseNetRule()


class BoxesAndPeaks(nn.Module):
    """The surest anchors with their deltas, and the highest peaks with their surroundings."""

    def forward(self, heatmaps: Tensor, deltas: Tensor, scores: Tensor) -> tuple[Tensor, ...]:
        surest, anchor = scores.flatten(1).topk(_BOXES, dim=1)
        told = deltas.gather(1, anchor.unsqueeze(2).expand(-1, -1, 4))
        beside = functional.max_pool2d(heatmaps, (1, 3), 1, (0, 1))
        above = functional.max_pool2d(heatmaps, (3, 1), 1, (1, 0))
        is_peak = heatmaps >= torch.maximum(beside, above)
        place = highest(heatmaps, is_peak & (heatmaps > _RULE.peak_threshold))
        return surest, anchor.int(), told, place.int(), around(heatmaps, place, _REACH, "replicate")


def multiposenet_resnet50(people: int) -> Case:
    """An input of 480x640; the anchors of two cells a person are sure of one."""
    rng = np.random.default_rng(0)
    rows, columns = np.arange(_HEIGHT // 4)[:, None], np.arange(_WIDTH // 4)
    heatmaps = np.zeros((1, _HEATMAPS, _HEIGHT // 4, _WIDTH // 4), np.float32)
    for _ in range(people):
        y, x = (rng.uniform(0, side // 4, (_HEATMAPS, 1, 1)) for side in (_HEIGHT, _WIDTH))
        heatmaps = np.maximum(heatmaps, np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8))
    count = len(anchors(_HEIGHT, _WIDTH))
    scores = rng.uniform(0, 0.2, count)
    sure = rng.choice(count // _SURE, people, replace=False)[:, None] * _SURE + np.arange(_SURE)
    scores[sure] = rng.uniform(0.4, 0.9, sure.shape)
    deltas = rng.normal(0, 0.1, (1, count, 4))
    scene: dict[str, np.ndarray] = {
        "heatmaps": heatmaps,
        "box_deltas": deltas,
        "box_scores": scores[None, :, None],
    }
    return Case(
        f"multiposenet-resnet50, {people} people",
        partial(MultiPoseNet, 50),
        32,
        (1, _HEIGHT, _WIDTH),
        {name: one.astype(np.float32) for name, one in scene.items()},
        _decode,
        [Head("boxes and peaks", BoxesAndPeaks(), _OUTPUTS, _finish)],
    )


def _decode(maps: Maps) -> People:
    boxes, scores = multiposenet.find_boxes(
        maps["box_deltas"][0], maps["box_scores"][0], _HEIGHT, _WIDTH, _RULE
    )
    without_neck = [index for index in range(_HEATMAPS) if index != _NECK]
    return _rows(
        boxes, scores, multiposenet.find_candidates(maps["heatmaps"][0][without_neck], _RULE)
    )


def _finish(maps: Maps) -> People:
    likely = maps["scores"][0] > _RULE.box_threshold
    scores, anchor, deltas = (maps[name][0, likely] for name in ("scores", "anchor", "deltas"))
    boxes = place_boxes(anchors(_HEIGHT, _WIDTH)[anchor], deltas, _HEIGHT, _WIDTH)
    kept = nms(boxes, scores, _RULE.overlap, plus_one=True)[: _RULE.max_people]
    return _rows(boxes[kept], scores[kept], _candidates(maps))


def _candidates(maps: Maps) -> Candidates:
    patches = np.delete(maps["around"][0], _NECK, axis=0)
    places = np.delete(maps["place"][0], _NECK, axis=0)
    here, beside = patches[:, :, 12:13], patches[:, :, [7, 11, 13, 17]]
    is_peak = (here > _RULE.peak_threshold) & (here >= beside)  # places of no peaks fill the list
    part, rank = np.nonzero(is_peak.all(axis=2))
    order = np.lexsort((places[part, rank], part))
    part, rank = part[order], rank[order]
    width = _WIDTH // multiposenet.STRIDE
    y, x = np.divmod(places[part, rank], width)
    enlarged = patches[part, rank] @ multiposenet._cubic_weights()
    best = enlarged.argmax(axis=1)
    moved_y, moved_x = np.divmod(best, multiposenet._ENLARGED)
    xy = (np.stack([x, y], axis=1) - _REACH) * multiposenet.STRIDE
    xy = (xy + np.stack([moved_x, moved_y], axis=1)).clip(0, [_WIDTH - 1, _HEIGHT - 1])
    return Candidates(part, xy.astype(np.float32), enlarged[np.arange(len(part)), best])


def _rows(boxes: Floats, scores: Floats, candidates: Candidates) -> People:
    """Boxes with scores, and candidates as boxes without an extent, so that one table has both."""
    part = 1000.0 * candidates.part[:, None]
    found = np.concatenate([part, part, candidates.xy, candidates.score[:, None]], axis=1)
    return (np.concatenate([np.concatenate([boxes, scores[:, None]], axis=1), found]),)
