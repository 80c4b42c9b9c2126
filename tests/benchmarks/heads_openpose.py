"""Lightweight OpenPose and OpenPose, without heads and with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from torch import nn

from engines.grouping import openpose, part_affinity
from engines.grouping import openpose_peaks as authors_peaks
from engines.grouping import peaks as grouping_peaks
from engines.grouping.assembly import assemble, keypoints_of
from engines.grouping.fields import Connections, connect
from engines.grouping.openpose_fields import LineRule
from engines.grouping.openpose_fields import connect as connect_as_authors
from engines.grouping.peaks import Floats, Ints, Peaks
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.networks.openpose import OpenPose
from engines.skeletons import OPENPOSE_18
from tests.benchmarks.heads_case import Case, Head, Maps, People
from tests.benchmarks.heads_part_affinity import MOST, Enlarged, Limbs, OnMaps, names
from tests.engines.grouping.scenes import STRIDE, draw_maps, standing

_HEIGHT, _WIDTH = 368, 656
_KEYPOINTS = len(OPENPOSE_18.keypoints)
_RULE = part_affinity.PartAffinityRule()
_AUTHORS = openpose.rule_of(OPENPOSE_18)
_NOISE = 0.01


def lightweight(people: int) -> Case:
    """A picture of 368x656 with people in rows of ten."""
    up, threshold = _RULE.peaks.upsample, _RULE.peaks.threshold
    enlarged = Enlarged(_KEYPOINTS, up, 1, threshold)
    heads = [
        _head("peaks of the maps", OnMaps(_KEYPOINTS, threshold / 2), _from_maps),
        _head("peaks, enlarged", enlarged, _from_peaks),
        _head("peaks and limbs", Limbs(enlarged, OPENPOSE_18, _RULE.fields), _from_limbs),
    ]
    network = partial(LightweightOpenPose, 1)
    return _case(f"lightweight-openpose, {people} people", people, network, _decode, heads)


def openpose_coco(people: int) -> Case:
    """The same picture."""
    enlarged = Enlarged(_KEYPOINTS, STRIDE, 3, _AUTHORS.peak_threshold)
    heads = [_head("peaks, enlarged", enlarged, _from_authors_peaks)]
    network = partial(OpenPose, 19, 38)
    return _case(f"openpose-coco, {people} people", people, network, _decode_as_authors, heads)


def _head(name: str, module: nn.Module, finish: Callable[[Maps], People]) -> Head:
    return Head(name, module, names(module), finish)


def _case(
    name: str,
    people: int,
    network: Callable[[], nn.Module],
    decode: Callable[[Maps], People],
    heads: list[Head],
) -> Case:
    size = 0.6 if people > 4 else 1.0
    drawn = [
        standing(OPENPOSE_18, 62 * (index % 10) + 48, 110 * (index // 10) + 80, size)
        for index in range(people)
    ]
    heatmaps, fields = draw_maps(drawn, OPENPOSE_18, _HEIGHT // STRIDE, _WIDTH // STRIDE)
    noise = np.random.default_rng(0).normal(0, _NOISE, fields.shape).astype(np.float32)
    scene = {"heatmaps": heatmaps[None], "pafs": fields[None] + noise}
    return Case(name, network, 8, (1, _HEIGHT, _WIDTH), scene, decode, heads)


def _decode(maps: Maps) -> People:
    return part_affinity.group(maps["heatmaps"][0], maps["pafs"][0], OPENPOSE_18, STRIDE, _RULE)


def _decode_as_authors(maps: Maps) -> People:
    return openpose.group(maps["heatmaps"][0], maps["pafs"][0], OPENPOSE_18, STRIDE, _AUTHORS)


def _from_maps(maps: Maps) -> People:
    """The product's decoding of maps that are empty but around peaks."""
    height, width = maps["pafs"].shape[2:]
    reach = OnMaps.reach
    padded = np.zeros((_KEYPOINTS, height + 2 * reach, width + 2 * reach), np.float32)
    part, rank = np.nonzero(_middle(maps["around"][0]) > 0)
    row, column = np.divmod(maps["place"][0, part, rank], width)
    steps = np.arange(2 * reach + 1)
    rows, columns = row[:, None, None] + steps[:, None], column[:, None, None] + steps
    patches = maps["around"][0, part, rank].reshape(len(part), len(steps), len(steps))
    padded[part[:, None, None], rows, columns] = patches
    heatmaps = np.ascontiguousarray(padded[:, reach:-reach, reach:-reach])
    return part_affinity.group(heatmaps, maps["pafs"][0], OPENPOSE_18, STRIDE, _RULE)


def _from_peaks(maps: Maps) -> People:
    fields = maps["pafs"][0]
    up = _RULE.peaks.upsample
    peaks, _ = _lightweight_peaks(maps, fields.shape[2] * up)
    return _people(connect(fields, peaks, OPENPOSE_18, up, _RULE.fields), peaks)


def _from_limbs(maps: Maps) -> People:
    """Of a picture as wide as the scene's."""
    peaks, rank = _lightweight_peaks(maps, _WIDTH // STRIDE * _RULE.peaks.upsample)
    number = np.full((_KEYPOINTS, MOST), -1)
    number[peaks.part, rank] = np.arange(len(rank))
    limb, first, second = np.nonzero(maps["limbs"][0])
    ends = np.asarray(OPENPOSE_18.limbs)[limb]
    score = maps["limbs"][0, limb, first, second]
    first, second = number[ends[:, 0], first], number[ends[:, 1], second]
    kept = (first >= 0) & (second >= 0)
    return _people(Connections(limb[kept], first[kept], second[kept], score[kept]), peaks)


def _people(connections: Connections, peaks: Peaks) -> People:
    assembly = assemble(connections, peaks, OPENPOSE_18, _RULE.people)
    places = (peaks.xy + peaks.shift + 0.5) * (STRIDE / _RULE.peaks.upsample) - 0.5
    keypoints = keypoints_of(assembly, places.astype(np.float32), peaks.score)
    return keypoints, np.minimum(keypoints[:, :, 2].sum(axis=1) / _KEYPOINTS, 1)


def _lightweight_peaks(maps: Maps, width: int) -> tuple[Peaks, Ints]:
    """Candidates by the product's rule, and each one's rank in its keypoint's list.

    The rule is asked of all places: those of no peaks fill the list.
    """
    around = maps["around"][0]
    here, top, left = around[..., 4], around[..., 1], around[..., 3]
    bottom, right = around[..., 7], around[..., 5]
    is_peak = (here >= _RULE.peaks.threshold) & (here >= top) & (here >= left)
    part, rank = np.nonzero(is_peak & (here > bottom) & (here > right))
    y, x = np.divmod(maps["place"][0, part, rank].astype(np.intp), width)
    order = np.lexsort((y, x, part))
    part, rank, xy = part[order], rank[order], np.stack([x, y], axis=1)[order]
    kept = grouping_peaks._far_enough(part, xy, _RULE.peaks.min_distance)
    part, rank, xy = part[kept], rank[kept], xy[kept]
    beside = around[part, rank].T
    shift = np.stack(
        [
            grouping_peaks._parabola(beside[3], beside[4], beside[5]),
            grouping_peaks._parabola(beside[1], beside[4], beside[7]),
        ],
        axis=1,
    )
    starts = np.searchsorted(part, np.arange(_KEYPOINTS + 1))
    return Peaks(part, xy, beside[4], shift, starts), rank


def _from_authors_peaks(maps: Maps) -> People:
    fields = maps["pafs"][0]
    height, width = (side * STRIDE for side in fields.shape[1:])
    peaks = _authors_peaks(maps, height, width)
    places = (peaks.xy + peaks.shift).astype(np.float32)
    from_corner = places + np.float32(0.5)
    threshold = _AUTHORS.peak_threshold
    rule = LineRule(_AUTHORS.field_threshold, _AUTHORS.min_ratio, threshold + 1e-6)
    found = connect_as_authors(fields, peaks, from_corner, OPENPOSE_18, stride=STRIDE, rule=rule)
    assembly = assemble(found, peaks, OPENPOSE_18, _AUTHORS.people)
    scores = np.minimum(assembly.scores / (_KEYPOINTS + len(OPENPOSE_18.limbs)), 1)
    return keypoints_of(assembly, places, peaks.score), scores


def _authors_peaks(maps: Maps, height: int, width: int) -> Peaks:
    part, rank = np.nonzero(_middle(maps["around"][0]) > _AUTHORS.peak_threshold)
    y, x = np.divmod(maps["place"][0, part, rank].astype(np.intp), width)
    around = maps["around"][0, part, rank].reshape(-1, 7, 7)
    nearest = around[:, 2:5, 2:5].reshape(-1, 9)
    lower = np.delete(nearest, 4, axis=1) < nearest[:, 4:5]
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    order = np.lexsort((x, y, part))
    order = order[(lower.all(axis=1) & inside)[order]]
    part, around, xy = part[order], around[order], np.stack([x, y], axis=1)[order]
    shift = authors_peaks._to_centroid(around, xy, width, height)
    starts = np.searchsorted(part, np.arange(_KEYPOINTS + 1))
    return Peaks(part, xy, around[:, 3, 3], shift, starts)


def _middle(around: Floats) -> Floats:
    """(K, MOST) values at the places themselves."""
    middle: Floats = around[..., around.shape[-1] // 2]
    return middle


def cases() -> Iterator[Case]:
    for people in (1, 4, 30):
        yield lightweight(people)
    yield openpose_coco(30)
