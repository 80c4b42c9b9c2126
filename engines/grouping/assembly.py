"""Limb candidates to people."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engines.grouping.fields import Connections
from engines.grouping.peaks import Peaks
from engines.skeletons import Skeleton

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

_LEAST_BESIDE_FEET = 4  # a person with feet has more other keypoints than that


@dataclass(frozen=True, slots=True)
class PersonRule:
    """When an assembly of candidates is a person.

    Attributes:
        min_parts: the least number of keypoints.
        min_score: the least mean of a person's keypoint and limb scores per keypoint.
        feet: keypoints that do not count, and whose owner needs more than four others; unless
            nobody would be left (OpenPose's rule for BODY_25, against false positives).
    """

    min_parts: int = 3
    min_score: float = 0.2
    feet: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Assembly:
    """People as candidates.

    Attributes:
        members: (P, K) index of the candidate of each keypoint, -1 for a missing one.
        scores: (P,) sum of the scores of keypoints and limbs.
    """

    members: Ints
    scores: Floats


def assemble(
    connections: Connections, peaks: Peaks, skeleton: Skeleton, rule: PersonRule
) -> Assembly:
    """Joins limbs into people, the surest limb first.

    The order and its five cases are those of OpenPose's GPU path (`connectBodyPartsGpu`):
    a limb starts a person, adds a keypoint to one, joins two fragments that share no
    keypoint, confirms what is there, or is ignored because its place is taken.
    """
    heights = peaks.score
    surety = connections.score + 0.1 * (heights[connections.first] + heights[connections.second])
    order = np.argsort(-surety, kind="stable")
    ends = np.asarray(skeleton.limbs, np.intp)[connections.limb[order]]
    people = _join(
        connections.first[order].tolist(), connections.second[order].tolist(), ends.tolist()
    )
    parts = range(len(skeleton.keypoints))
    rows = [[person.members.get(part, -1) for part in parts] for person in people]
    members = np.array(rows, np.intp).reshape(-1, len(skeleton.keypoints))
    limb_scores = connections.score[order]
    limbs = np.array([limb_scores[person.limbs].sum() for person in people], np.float32)
    found = members >= 0
    scores = limbs + np.where(found, heights[members] if len(heights) else 0, 0).sum(axis=1)
    kept = _are_people(found, scores, rule)
    return Assembly(members[kept], scores[kept].astype(np.float32))


def keypoints_of(assembly: Assembly, places: Floats, scores: Floats) -> Floats:
    """(P, K, 3) x, y, score of people's candidates at (n, 2) places; missing ones are 0."""
    found = assembly.members >= 0
    members = assembly.members[found]
    keypoints = np.zeros((*found.shape, 3), np.float32)
    keypoints[found, :2] = places[members]
    keypoints[found, 2] = scores[members]
    return keypoints


def _are_people(found: Flags, scores: Floats, rule: PersonRule) -> Flags:
    """(P,) which assemblies, by their (P, K) keypoints found and scores, pass the rule."""
    feet = found[:, list(rule.feet)]
    sizes = found.sum(axis=1) - feet.sum(axis=1)
    kept: Flags = (sizes >= rule.min_parts) & (scores >= rule.min_score * sizes)
    kept &= (sizes > _LEAST_BESIDE_FEET) | ~feet.any(axis=1)
    if rule.feet and not kept.any():
        return _are_people(found, scores, replace(rule, feet=()))
    return kept


@dataclass(slots=True)
class _Fragment:
    """Part of a person: the candidate of each keypoint, and the limbs that hold them."""

    members: dict[int, int]
    limbs: list[int]


def _join(first: list[int], second: list[int], ends: list[list[int]]) -> list[_Fragment]:
    """Every candidate starts as a fragment of its own; a limb joins the two it connects."""
    home: dict[int, _Fragment] = {}
    for limb, (a, b, (part_a, part_b)) in enumerate(zip(first, second, ends, strict=True)):
        one = home.setdefault(a, _Fragment({part_a: a}, []))
        other = home.setdefault(b, _Fragment({part_b: b}, []))
        if one is not other:
            if not one.members.keys().isdisjoint(other.members):
                continue
            one.members.update(other.members)
            one.limbs.extend(other.limbs)
            home.update(dict.fromkeys(other.members.values(), one))
        one.limbs.append(limb)
    return list({id(fragment): fragment for fragment in home.values()}.values())
