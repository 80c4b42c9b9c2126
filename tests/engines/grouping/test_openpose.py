"""OpenPose's maps to people."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.grouping.assembly import PersonRule
from engines.grouping.openpose import OpenPoseRule, group, rule_of
from engines.grouping.openpose_fields import LineRule, connect
from engines.grouping.openpose_peaks import find_peaks
from engines.people import Floats
from engines.skeletons import BODY_25, MPI_15, OPENPOSE_18, Skeleton
from tests.engines.grouping import openpose_reference as reference
from tests.engines.grouping.scenes import STRIDE, draw_maps, standing
from tests.shared import shared

SCENES = ("s101", "s102", "s103", "s104", "s105")

LEG_AND_FOOT = tuple(
    f"left_{part}" for part in ("hip", "knee", "ankle", "big_toe", "small_toe", "heel")
)


def stored_maps(scene: str) -> tuple[Floats, Floats]:
    with np.load(shared("fixtures/decoding/openpose-coco.npz")) as stored:
        heatmaps = stored[f"{scene}_heatmaps"].astype(np.float32)
        return heatmaps, stored[f"{scene}_pafs"].astype(np.float32)


def smooth_noise(shape: tuple[int, int, int], sigma: float, height: float = 0.2) -> Floats:
    noise = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    maps = np.stack([cv2.GaussianBlur(one, (0, 0), sigma) for one in noise])
    smooth: Floats = maps * np.float32(height / maps.std())
    return smooth


def assert_same(heatmaps: Floats, fields: Floats, skeleton: Skeleton, rule: OpenPoseRule) -> int:
    """Candidates and people are those of the plain loops; how many people there are."""
    people, candidates = reference.group(heatmaps, fields, skeleton, rule)
    count = len(skeleton.keypoints)
    peaks = find_peaks(heatmaps[:count], STRIDE, rule.peak_threshold, rule.max_peaks)
    found = np.column_stack([peaks.part, peaks.xy + peaks.shift + 0.5, peaks.score])
    plain = [(part, *peak) for part, of_part in enumerate(candidates) for peak in of_part]
    assert found == pytest.approx(np.array(plain).reshape(-1, 4), abs=1e-4)

    poses = np.zeros((len(people), count, 3))
    for pose, person in zip(poses, people, strict=True):
        for part, index in person.parts.items():
            pose[part] = np.subtract(candidates[part][index], (0.5, 0.5, 0))
    sums = np.array([person.score for person in people]).reshape(-1)
    keypoints, scores = group(heatmaps, fields, skeleton, STRIDE, rule)
    ours, theirs = (np.argsort(each.sum(axis=(1, 2))) for each in (keypoints, poses))
    assert keypoints[ours] == pytest.approx(poses[theirs], abs=1e-3)
    shares = sums[theirs] / (count + len(skeleton.limbs))
    assert scores[ours] == pytest.approx(shares.clip(0, 1), abs=1e-4)
    return len(people)


@pytest.mark.parametrize("scene", SCENES)
def test_candidates_and_people_are_those_of_the_plain_loops(scene: str) -> None:
    assert_same(*stored_maps(scene), OPENPOSE_18, OpenPoseRule())


@pytest.mark.parametrize("skeleton", [BODY_25, MPI_15])
def test_other_skeletons_people_are_those_of_the_plain_loops(skeleton: Skeleton) -> None:
    drawn = [standing(skeleton, x, 180.3) for x in (150.2, 400.7)]
    heatmaps, fields = draw_maps(drawn, skeleton)
    heatmaps += smooth_noise(heatmaps.shape, 1.5, 0.02)
    fields += smooth_noise(fields.shape, 1.5, 0.02)
    assert assert_same(heatmaps, fields, skeleton, rule_of(skeleton)) == 2


def test_people_in_noise_are_those_of_the_plain_loops() -> None:
    """Where almost every limb is a close decision."""
    heatmaps, fields = smooth_noise((19, 16, 24), 2), smooth_noise((38, 16, 24), 6)
    rule = OpenPoseRule(people=PersonRule(min_parts=2, min_score=0.1))
    assert assert_same(heatmaps, fields, OPENPOSE_18, rule) > 10


def test_a_person_is_found_with_every_keypoint_in_place() -> None:
    drawn = standing(BODY_25, 320.3, 180.1)
    keypoints, scores = group(*draw_maps([drawn], BODY_25), BODY_25, STRIDE, rule_of(BODY_25))
    expected = np.array([drawn[part] for part in range(25)])
    assert keypoints[0, :, :2] == pytest.approx(expected, abs=1.0)
    assert 0.8 < scores[0] <= 1


def test_feet_alone_make_no_person_beside_others() -> None:
    drawn = [standing(BODY_25, 120.3, 180.1), standing(BODY_25, 400.3, 180.1, only=LEG_AND_FOOT)]
    keypoints, _ = group(*draw_maps(drawn, BODY_25), BODY_25, STRIDE, rule_of(BODY_25))
    assert len(keypoints) == 1
    assert keypoints[0, 1, 0] == pytest.approx(120.3, abs=1)


def test_a_leg_and_foot_are_a_person_where_there_is_no_other() -> None:
    drawn = [standing(BODY_25, 400.3, 180.1, only=LEG_AND_FOOT)]
    keypoints, _ = group(*draw_maps(drawn, BODY_25), BODY_25, STRIDE, rule_of(BODY_25))
    assert len(keypoints) == 1
    found = np.flatnonzero(keypoints[0, :, 2]).tolist()
    assert tuple(BODY_25.keypoints[part] for part in found) == tuple(LEG_AND_FOOT)


def test_empty_maps_have_nobody() -> None:
    keypoints, scores = group(*draw_maps([], MPI_15), MPI_15, STRIDE, rule_of(MPI_15))
    assert keypoints.shape == (0, 15, 3)
    assert scores.shape == (0,)


def test_the_size_of_an_image_pixel_moves_lines_but_not_keypoints() -> None:
    heatmaps, fields = draw_maps([standing(BODY_25, 320.3, 180.1)], BODY_25)
    fields = 0.8 * fields + smooth_noise(fields.shape, 1.5, 0.02)
    small, large = (
        group(heatmaps, fields, BODY_25, STRIDE, rule_of(BODY_25), scale=scale)
        for scale in (0.1, 3.0)
    )
    assert np.array_equal(small[0], large[0])
    assert not np.array_equal(small[1], large[1])


def test_peaks_are_those_of_the_whole_enlarged_map() -> None:
    heatmaps = smooth_noise((3, 30, 50), 1.5)
    expected = [
        (part, *peak[:2])
        for part, one in enumerate(reference.enlarge(heatmaps))
        for peak in reference.find_peaks(one, 0.05)
    ]
    found = find_peaks(heatmaps, STRIDE, threshold=0.05, max_peaks=127)
    places = found.xy + found.shift + 0.5
    assert np.column_stack([found.part, places]) == pytest.approx(np.array(expected), abs=1e-3)


def test_the_topmost_peaks_of_a_keypoint_are_kept() -> None:
    heatmaps = smooth_noise((2, 30, 50), 1.5)
    every = find_peaks(heatmaps, STRIDE, threshold=0.05, max_peaks=1000)
    kept = find_peaks(heatmaps, STRIDE, threshold=0.05, max_peaks=20)
    assert np.diff(kept.starts).tolist() == [20, 20]
    for part in range(2):
        topmost = np.sort(every.xy[every.part == part, 1])[:20]
        assert kept.xy[kept.part == part, 1].tolist() == topmost.tolist()


@pytest.mark.parametrize(("apart", "connected"), [(3.0, 1), (4.0, 0), (0.0, 0)])
def test_candidates_without_a_field_are_connected_if_very_near_but_not_at_one_place(
    apart: float, connected: int
) -> None:
    """Nearer than a 150th of the map's mean side, 3.3 pixels of 656x368."""
    heatmaps, fields = draw_maps([{2: (200.3, 100.1), 3: (300.0, 100.0)}], OPENPOSE_18)
    peaks = find_peaks(heatmaps[:18], STRIDE, threshold=0.05, max_peaks=127)
    places = np.array([[200, 100], [200 + apart, 100]], np.float32)
    rule = LineRule(threshold=0.05, min_ratio=0.95, near_score=0.05)
    found = connect(np.zeros_like(fields), peaks, places, OPENPOSE_18, stride=STRIDE, rule=rule)
    assert found.score.tolist() == pytest.approx([0.05] * connected)
