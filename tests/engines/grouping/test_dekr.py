"""DEKR's maps to people."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engines.grouping.dekr import COCO, CROWDPOSE, DekrRule, Pass, decode
from engines.grouping.dekr_nms import keep
from engines.grouping.dekr_rescoring import features, rescore
from engines.people import Floats
from engines.skeletons import COCO_17, CROWDPOSE_14, Skeleton
from tests.engines.grouping import dekr_reference
from tests.engines.grouping.dekr_scenes import crowd, draw
from tests.parity.decoding.dekr import difference, passes_of
from tests.shared import shared

SCALES = (0.5, 1.0, 2.0)
SCENES = ["s111", "s112", "s113", "s114"]
kinds = pytest.mark.parametrize("kind", ["", "_flip"])
scenes = pytest.mark.parametrize("scene", SCENES)


def one_person(x: float = 250.0, y: float = 260.0) -> Floats:
    """(1, 17, 2) a person around x, y."""
    person = crowd(1, COCO_17)
    moved: Floats = person - person.mean(axis=1, keepdims=True) + np.array([x, y], np.float32)
    return moved


@scenes
@kinds
def test_people_are_those_of_the_original(scene: str, kind: str) -> None:
    with np.load(shared("fixtures/decoding/dekr-coco.npz")) as stored:
        keypoints, scores = decode([passes_of(stored, scene)[kind]], COCO_17, COCO)
        expected = stored[f"{scene}{kind}_poses"], stored[f"{scene}{kind}_scores"]
    pixels, score = difference(keypoints, scores, *expected)
    assert pixels <= 1e-3
    assert score <= 1e-4


@scenes
@kinds
def test_the_plain_reference_of_the_benchmark_is_the_original(scene: str, kind: str) -> None:
    with np.load(shared("fixtures/decoding/dekr-coco.npz")) as stored:
        found = dekr_reference.decode([passes_of(stored, scene)[kind]], COCO_17, COCO)
        expected = stored[f"{scene}{kind}_poses"], stored[f"{scene}{kind}_scores"]
    pixels, score = difference(*found, *expected)
    assert pixels <= 1e-3
    assert score <= 1e-4


@pytest.mark.parametrize(("skeleton", "rule"), [(COCO_17, COCO), (CROWDPOSE_14, CROWDPOSE)])
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1.0,), SCALES])
@pytest.mark.parametrize("size", [(256, 384), (960, 704)])
def test_people_are_those_of_the_plain_reference(
    skeleton: Skeleton, rule: DekrRule, flip: bool, scales: tuple[float, ...], size: tuple[int, int]
) -> None:
    people = crowd(10, skeleton, size)
    passes = [
        draw(people, skeleton, size=size, scale=scale, flip=flip, noise=0.3, seed=seed)
        for seed, scale in enumerate(scales)
    ]
    keypoints, scores = decode(passes, skeleton, rule)
    pixels, score = difference(keypoints, scores, *dekr_reference.decode(passes, skeleton, rule))
    assert pixels <= 1e-3
    assert score <= 1e-4
    assert len(scores) >= 5


def test_larger_maps_take_a_centre_from_a_larger_window() -> None:
    sizes = {(800, 800): 3, (804, 800): 5, (1200, 1200): 5, (1204, 1200): 7}
    for (width, height), window in sizes.items():
        heatmaps = np.zeros((1, 18, height // 4, width // 4), np.float32)
        heatmaps[0, -1, 100, 100] = 0.9
        heatmaps[0, -1, 100, [100 + window // 2, 100 - window // 2 - 1]] = 0.5
        spread = np.arange(34, dtype=np.float32).reshape(1, 34, 1, 1)
        offsets = spread + np.zeros_like(heatmaps[:, :1])
        keypoints, _ = decode([Pass(heatmaps, offsets)], COCO_17, DekrRule(near=1e-6))
        assert len(keypoints) == 2, (width, height)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("scales", [(1.0,), SCALES])
def test_a_person_is_found_with_every_keypoint_in_its_place(
    flip: bool, scales: tuple[float, ...]
) -> None:
    person = one_person()
    passes = [draw(person, COCO_17, scale=scale, flip=flip) for scale in scales]
    keypoints, scores = decode(passes, COCO_17, COCO)
    assert keypoints[:, :, :2] == pytest.approx(person, abs=1e-3)
    assert 0.8 < scores[0] <= 1


def test_a_keypoint_outside_of_the_picture_keeps_its_place() -> None:
    person = one_person(x=10.0)
    assert (person[:, :, 0] < 0).any()
    keypoints, _ = decode([draw(person, COCO_17)], COCO_17, COCO)
    assert keypoints[:, :, :2] == pytest.approx(person, abs=1e-3)


def test_empty_maps_have_nobody() -> None:
    nobody = crowd(0, COCO_17)
    for flip in (False, True):
        passes = [draw(nobody, COCO_17, scale=scale, flip=flip) for scale in SCALES]
        keypoints, scores = decode(passes, COCO_17, COCO)
        assert keypoints.shape == (0, 17, 3)
        assert scores.shape == (0,)


def test_who_is_seen_at_another_scale_alone_is_found() -> None:
    nobody, person = crowd(0, COCO_17), one_person()
    passes = [draw(nobody, COCO_17), draw(person, COCO_17, scale=2)]
    keypoints, scores = decode(passes, COCO_17, COCO)
    assert keypoints[:, :, :2] == pytest.approx(person, abs=1e-3)
    assert scores[0] == pytest.approx(0.9 / 2, abs=0.05)  # of a score of 1, half of the heat


def test_answers_of_two_scales_may_differ_more_and_still_be_of_one_person() -> None:
    person = one_person()
    diagonal = np.hypot(*np.ptp(person[0], axis=0))
    for share, people in ((0.1, 1), (0.2, 2)):
        moved = person + np.array([share * diagonal, 0], np.float32)
        passes = [draw(person, COCO_17), draw(moved, COCO_17, scale=2)]
        assert len(decode(passes, COCO_17, COCO)[0]) == people


def test_no_more_than_the_best_people_are_found() -> None:
    passes = [draw(crowd(12, COCO_17), COCO_17)]
    every, _ = decode(passes, COCO_17, COCO)
    best, _ = decode(passes, COCO_17, DekrRule(max_people=4))
    assert len(every) > len(best) == 4


def square(size: float, x: float = 0.0) -> Floats:
    """(4, 2) keypoints."""
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    shape: Floats = corners * np.float32(size) + np.array([x, 0], np.float32)
    return shape


def kept(poses: list[Floats], heat: list[float]) -> list[int]:
    """Two poses of one person are nearer than a tenth of the diagonal in three keypoints."""
    found: list[int] = keep(np.array(poses), np.array(heat, np.float32), 0.1, 2).tolist()
    return found


def test_of_poses_of_one_person_the_one_with_most_heat_is_kept() -> None:
    assert kept([square(100), square(100, x=5), square(100, x=200)], [0.3, 0.5, 0.9]) == [2, 1]


def test_a_large_pose_gathers_a_small_one_and_not_the_other_way_round() -> None:
    small = square(60)
    large = small + np.array([0, 10], np.float32)
    large[3] = 150, 150
    assert kept([large, small], [0.5, 0.3]) == [0]
    assert kept([small, large], [0.3, 0.5]) == [1, 0]


def test_a_pose_goes_when_the_best_near_it_went_to_another() -> None:
    poses = [square(100), square(100, x=12), square(100, x=24)]
    assert kept(poses, [0.9, 0.5, 0.4]) == [0]
    assert kept(poses, [0.9, 0.4, 0.5]) == [0, 2]


def test_a_pose_without_size_is_nobody() -> None:
    assert kept([square(0), square(100)], [0.9, 0.5]) == [1]


def test_a_limb_is_measured_in_torsos() -> None:
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 11, 1], keypoints[0, 12, 1] = 30, 50  # hips below shoulders: 40 on average
    keypoints[0, 1, :2] = 8, 6
    keypoints[0, :, 2] = np.arange(17) / 17
    found = features(keypoints, COCO_17)[0]
    assert found.shape == (74,)
    assert found[:2] == pytest.approx([-8 / 40, -6 / 40])  # from the nose to the left eye
    assert found[38] == pytest.approx(10 / 40)  # its length
    assert found[57:] == pytest.approx(np.arange(17) / 17)


def test_crowdpose_is_measured_in_a_leg() -> None:
    keypoints = np.zeros((1, 14, 3), np.float32)
    keypoints[0, 8, 1], keypoints[0, 10, 1] = 20, 60  # thigh 20, shin 40
    found = features(keypoints, CROWDPOSE_14)[0]
    assert found.shape == (59,)
    assert found[30 + 9] == pytest.approx(20 / 30)
    assert found[30 + 11] == pytest.approx(40 / 30)


def test_a_tiny_person_is_measured_in_pixels() -> None:
    keypoints = np.zeros((1, 17, 3), np.float32)
    keypoints[0, 1, 0] = 0.5
    assert features(keypoints, COCO_17)[0, 0] == -0.5


def layers(inputs: int) -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    sizes = {"l1": (256, inputs), "l2": (256, 256), "l3": (1, 256)}
    weights = {f"{name}.weight": rng.normal(0, 0.1, size) for name, size in sizes.items()}
    biases = {f"{name}.bias": rng.normal(0, 0.1, size[0]) for name, size in sizes.items()}
    return {name: value.astype(np.float32) for name, value in (weights | biases).items()}


def test_scores_are_multiplied_by_the_expected_similarity() -> None:
    net = layers(74)
    keypoints = np.random.default_rng(1).uniform(0, 300, (3, 17, 3)).astype(np.float32)
    scores = np.array([0.2, 0.5, 0.9], np.float32)
    expected = []
    for feature, score in zip(features(keypoints, COCO_17), scores, strict=True):
        hidden = feature
        for name in ("l1", "l2"):
            sums = net[f"{name}.weight"] @ hidden + net[f"{name}.bias"]
            hidden = np.where(sums > 0, sums, 0)
        expected.append(score * float((net["l3.weight"] @ hidden + net["l3.bias"])[0]))
    assert rescore(keypoints, scores, COCO_17, net) == pytest.approx(expected, rel=1e-4)


def test_a_similarity_that_is_no_number_is_0() -> None:
    net = layers(74)
    net["l3.bias"][0] = np.nan
    keypoints = np.zeros((1, 17, 3), np.float32)
    assert rescore(keypoints, np.ones(1, np.float32), COCO_17, net).tolist() == [0]


def test_the_fixture_has_the_scenes_of_these_tests() -> None:
    found = json.loads(shared("fixtures/decoding/scenes.json").read_text("utf-8"))["dekr-coco"]
    assert [scene["scene"] for scene in found] == SCENES
