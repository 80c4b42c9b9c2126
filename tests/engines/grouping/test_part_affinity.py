"""Maps to people."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engines.grouping.part_affinity import PartAffinityRule, group
from engines.people import Floats
from engines.skeletons import OPENPOSE_18, Skeleton
from tests.engines.grouping import reference
from tests.engines.grouping.scenes import STRIDE, Points, draw_maps, standing
from tests.parity.matching import match
from tests.shared import shared


def people_of(people: list[Points], skeleton: Skeleton = OPENPOSE_18) -> tuple[Floats, Floats]:
    return group(*draw_maps(people, skeleton), skeleton, STRIDE, PartAffinityRule())


def test_a_person_is_found_with_every_keypoint_in_place() -> None:
    drawn = standing(OPENPOSE_18, 320.5, 180.25)
    keypoints, scores = people_of([drawn])
    assert keypoints.shape == (1, 18, 3)
    expected = [drawn[part] for part in range(18)]
    assert keypoints[0, :, :2] == pytest.approx(np.array(expected), abs=1.0)
    assert 0.8 < scores[0] <= 1


def test_people_side_by_side_stay_apart() -> None:
    places = [(120.0, 180.0), (200.0, 180.0), (280.0, 180.0), (500.0, 200.0)]
    keypoints, _ = people_of([standing(OPENPOSE_18, x, y) for x, y in places])
    assert sorted(keypoints[:, 1, 0].round()) == pytest.approx([120, 200, 280, 500], abs=1)
    assert (keypoints[:, :, 2] > 0).all()


def test_fragments_that_share_no_keypoint_become_one_person() -> None:
    """The left half is tied to the right one by the last limb alone."""
    legs = Skeleton(
        name="legs",
        keypoints=("a", "b", "c", "d"),
        limbs=((0, 1), (2, 3), (1, 2)),
        sigmas=(0.1,) * 4,
        flip_pairs=(),
        fields=((0, 1), (2, 3), (4, 5)),
    )
    drawn: Points = {0: (100, 100), 1: (160, 100), 2: (220, 140), 3: (280, 100)}
    keypoints, _ = people_of([drawn], legs)
    assert len(keypoints) == 1
    assert (keypoints[0, :, 2] > 0).all()


def test_missing_keypoints_are_zero() -> None:
    drawn = {
        part: at for part, at in standing(OPENPOSE_18, 320, 180).items() if part not in (4, 10, 13)
    }
    keypoints, _ = people_of([drawn])
    assert keypoints[0, [4, 10, 13]].tolist() == [[0, 0, 0]] * 3


def test_a_lone_limb_is_nobody() -> None:
    keypoints, scores = people_of([{2: (200.0, 100.0), 3: (230.0, 140.0)}])
    assert keypoints.shape == (0, 18, 3)
    assert scores.shape == (0,)


def test_empty_maps_have_nobody() -> None:
    assert len(people_of([])[0]) == 0


@pytest.mark.parametrize("scene", ["s101", "s102", "s103", "s104", "s105"])
def test_people_are_at_least_as_good_as_the_originals(scene: str) -> None:
    scenes = json.loads(shared("fixtures/decoding/scenes.json").read_text("utf-8"))
    (bar,) = (s["reference"] for s in scenes["lightweight-openpose"] if s["scene"] == scene)
    with np.load(shared("fixtures/decoding/lightweight-openpose.npz")) as stored:
        heatmaps = stored[f"{scene}_heatmaps"].astype(np.float32)
        fields = stored[f"{scene}_pafs"].astype(np.float32)
        truth = stored[f"{scene}_truth"]
    keypoints, _ = group(heatmaps, fields, OPENPOSE_18, STRIDE, PartAffinityRule())
    matched, unmatched = match(truth, keypoints[:, list(OPENPOSE_18.coco)])
    assert matched >= bar["matched"]
    assert unmatched <= bar["unmatched_predictions"]


@pytest.mark.parametrize("scene", ["s101", "s102", "s103", "s104", "s105"])
def test_the_plain_reference_of_the_benchmark_is_the_original(scene: str) -> None:
    with np.load(shared("fixtures/decoding/lightweight-openpose.npz")) as stored:
        people, peaks = reference.group(
            stored[f"{scene}_heatmaps"].astype(np.float32),
            stored[f"{scene}_pafs"].astype(np.float32),
            OPENPOSE_18,
        )
        expected = stored[f"{scene}_entries"].reshape(-1, 20)
        assert np.array(peaks).reshape(-1, 4) == pytest.approx(
            stored[f"{scene}_keypoints"].reshape(-1, 4), abs=1e-4
        )
    ours = [[person.parts.get(part, -1) for part in range(18)] for person in people]
    assert ours == expected[:, :18].astype(int).tolist()
    assert [person.score for person in people] == pytest.approx(expected[:, 18], abs=1e-3)
