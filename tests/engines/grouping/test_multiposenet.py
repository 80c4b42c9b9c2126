"""MultiPoseNet's maps and boxes to people."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.grouping.anchors import anchors
from engines.grouping.multiposenet import (
    Candidates,
    MultiPoseNetRule,
    find_boxes,
    find_candidates,
)
from engines.grouping.person_assignment import GRID, Placed, assign, place, prn_inputs
from engines.people import Floats
from tests.engines.grouping import multiposenet_reference as reference
from tests.parity.decoding.multiposenet import check
from tests.shared import shared

RULE = MultiPoseNetRule()
EVERY_PEAK = MultiPoseNetRule(max_peaks=10_000)
BOX = [[100.0, 100.0, 136.0, 156.0]]  # a cell a pixel


def candidates_at(*places: tuple[int, float, float]) -> Candidates:
    """Candidates by keypoint, x, y."""
    part, x, y = zip(*sorted(places, key=lambda one: one[0]), strict=True)
    xy = np.stack([x, y], axis=1).astype(np.float32)
    return Candidates(np.array(part), xy, np.linspace(0.5, 0.9, len(part), dtype=np.float32))


def cells(placed: Placed) -> list[tuple[int, int]]:
    return list(zip(placed.row.tolist(), placed.column.tolist(), strict=True))


def blob(x: float, y: float, height: int = 20, width: int = 30, peak: float = 1.0) -> Floats:
    """One Gaussian peak on a heatmap, at map pixels x, y."""
    ys, xs = np.mgrid[:height, :width]
    heat: Floats = (peak * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 2)).astype(np.float32)
    return heat


def scene(seed: int, people: int = 9) -> tuple[Floats, np.ndarray]:
    """(17, 120, 120) heatmaps full of peaks, and boxes that overlap."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((17, 120, 120)).astype(np.float32)
    heatmaps = np.stack([cv2.GaussianBlur(one, (0, 0), 3) * 5 - 0.8 for one in noise])
    low = random.uniform(0, 300, (people, 2))
    return heatmaps, np.concatenate([low, low + random.uniform(40, 180, (people, 2))], axis=1)


def test_candidates_and_people_are_those_of_the_original() -> None:
    figure = check(shared("fixtures/decoding/multiposenet.npz").parents[1])
    assert figure.passed, figure.text


@pytest.mark.parametrize("seed", range(3))
def test_candidates_grids_and_people_are_those_of_the_plain_way(seed: int) -> None:
    heatmaps, boxes = scene(seed)
    plain = reference.find_candidates(heatmaps)
    found = find_candidates(heatmaps, EVERY_PEAK)
    expected = np.array([(part, *one) for part, ones in enumerate(plain) for one in ones])
    assert found.part.tolist() == expected[:, 0].tolist()
    assert found.xy == pytest.approx(expected[:, 1:3])
    assert found.score == pytest.approx(expected[:, 3], abs=1e-5)

    marked = reference.marks(plain, boxes.tolist())
    placed = place(found, boxes, RULE.reach)
    assert prn_inputs(placed, len(boxes)) == pytest.approx(reference.prn_inputs(marked), abs=1e-6)

    outputs = np.random.default_rng(seed).random((len(boxes), *GRID)).astype(np.float32)
    keypoints, scores = assign(outputs, placed, found, boxes)
    people = reference.assign(outputs, marked, plain, boxes.tolist())
    assert np.count_nonzero(people[:, :, 2]) > 50
    assert keypoints[:, :, :2] == pytest.approx(people[:, :, :2])
    assert ((keypoints[:, :, 2] > 0) == people[:, :, 2]).all()
    assert scores == pytest.approx(people[:, :, 2].mean(axis=1))


def test_a_peak_is_found_to_a_pixel_of_the_input() -> None:
    found = find_candidates(blob(12.3, 7.8)[None], RULE)
    (place,) = (found.xy + 0.5) / 4 - 0.5
    assert place == pytest.approx([12.3, 7.8], abs=0.15)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (29, 0), (0, 19), (29, 19)])
def test_a_peak_in_a_corner_of_the_map_is_found_on_the_map(x: int, y: int) -> None:
    found = find_candidates(blob(x, y)[None], RULE)
    (place,) = (found.xy + 0.5) / 4 - 0.5
    assert place == pytest.approx([x, y], abs=0.4)


def test_maps_below_the_threshold_have_no_candidates() -> None:
    assert len(find_candidates(blob(12, 7, peak=0.09)[None], RULE)) == 0


def test_equally_high_neighbours_end_at_one_place_and_stay_one_in_a_box() -> None:
    heat = np.maximum(blob(12, 7), blob(13, 7))
    found = find_candidates(heat[None], RULE)
    assert len(found) == 2
    assert found.xy[0].tolist() == found.xy[1].tolist()
    assert place(found, np.array([[0.0, 0.0, 80.0, 80.0]]), RULE.reach).candidate.tolist() == [1]


def test_no_more_than_the_highest_peaks_of_a_keypoint_are_kept() -> None:
    heatmaps, _ = scene(0)
    every = find_candidates(heatmaps, EVERY_PEAK)
    kept = find_candidates(heatmaps, MultiPoseNetRule(max_peaks=3))
    assert np.bincount(kept.part).tolist() == [3] * 17
    assert kept.score.mean() > every.score.mean()


def test_candidates_beside_the_picture_are_left_out() -> None:
    found = candidates_at((0, 99, 49), (1, 100, 49), (2, 99, 50))
    assert found.inside(100, 50).part.tolist() == [0]


def test_people_are_the_boxes_above_the_threshold_that_overlap_no_better_one() -> None:
    places = anchors(64, 96)
    scores = np.zeros((len(places), 1), np.float32)
    centre, beside, far, unlikely = 9 * 40, 9 * 41, 0, 9 * 90  # 0.700 by length, 0.705 by pixels
    scores[[centre, beside, far, unlikely], 0] = 0.8, 0.9, 0.7, 0.5
    deltas = np.zeros((len(places), 4), np.float32)
    boxes, surety = find_boxes(deltas, scores, 64, 96, MultiPoseNetRule(overlap=0.702))
    assert surety == pytest.approx([0.9, 0.7])
    assert boxes == pytest.approx(places[[beside, far]].clip(0, [96, 64, 96, 64]))
    boxes, surety = find_boxes(deltas, scores, 64, 96, MultiPoseNetRule(max_people=1))
    assert surety == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("x", "y", "cell"),
    [
        (100.0, 100.0, (0, 0)),
        (110.9, 120.9, (20, 10)),
        (95.0, 120.0, (20, 0)),
        (142.0, 120.0, (20, 35)),
        (110.0, 90.0, (0, 10)),
        (110.0, 166.0, (55, 10)),
        (95.0, 90.0, (0, 0)),
        (142.0, 166.0, (55, 35)),
        (142.0, 97.0, (53, 35)),  # counted from the far end, as in the original
        (97.0, 166.0, (55, 33)),
    ],
)
def test_a_candidate_lies_in_a_cell_of_the_box(x: float, y: float, cell: tuple[int, int]) -> None:
    assert cells(place(candidates_at((3, x, y)), np.array(BOX), RULE.reach)) == [cell]


@pytest.mark.parametrize(("x", "y"), [(92.0, 120.0), (144.0, 120.0), (110.0, 88.0), (110.0, 168.0)])
def test_a_candidate_too_far_from_the_box_is_not_the_persons(x: float, y: float) -> None:
    assert len(place(candidates_at((3, x, y)), np.array(BOX), RULE.reach)) == 0


def test_a_box_without_area_holds_nothing() -> None:
    empty = np.array([[50.0, 50.0, 50.0, 80.0]])
    assert len(place(candidates_at((0, 50, 60)), empty, RULE.reach)) == 0


def two_people() -> tuple[Floats, Candidates, np.ndarray]:
    """Noses of two people in each other's boxes; the network knows whose they are."""
    boxes = np.array([[100.0, 100.0, 136.0, 156.0], [110.0, 100.0, 146.0, 156.0]])
    outputs = np.full((2, *GRID), 1e-6, np.float32)
    outputs[0, 4, 13, 0] = 0.5  # at 113, 104
    outputs[1, 4, 22, 0] = 0.4  # at 132, 104
    outputs[1, 4, 3, 0] = 0.3
    return outputs, candidates_at((0, 113, 104), (0, 132, 104), (0, 300, 300)), boxes


def test_people_who_overlap_are_kept_apart() -> None:
    outputs, candidates, boxes = two_people()
    placed = place(candidates, boxes, RULE.reach)
    assert len(placed) == 4
    keypoints, scores = assign(outputs, placed, candidates, boxes)
    assert keypoints[:, 0].tolist() == [[113, 104, 0.5], [132, 104, pytest.approx(0.7)]]
    assert scores == pytest.approx([1 / 17, 1 / 17])


def test_the_only_candidate_of_a_keypoint_goes_to_everybody_whose_box_holds_it() -> None:
    outputs, _, boxes = two_people()
    candidates = candidates_at((0, 113, 104))
    keypoints, _ = assign(outputs, place(candidates, boxes, RULE.reach), candidates, boxes)
    assert keypoints[:, 0].tolist() == [[113, 104, 0.5]] * 2


def test_a_flat_map_has_its_peaks_on_the_map() -> None:
    found = find_candidates(np.ones((1, 6, 8), np.float32), RULE)
    assert found.xy.min(axis=0).tolist() == [0, 0]
    assert (found.xy <= [31, 23]).all()


def test_people_without_a_candidate_get_a_guess_if_nobody_has_one() -> None:
    outputs, candidates, boxes = two_people()
    outputs[:, 28, 18, 5] = 0.1
    keypoints, _ = assign(outputs, place(candidates, boxes, RULE.reach), candidates, boxes)
    assert keypoints[:, 5].tolist() == [[118, 128, 0], [128, 128, 0]]


def test_a_keypoint_that_only_another_person_has_is_missing() -> None:
    boxes = np.array([BOX[0], [300.0, 300.0, 336.0, 356.0]])
    candidates = candidates_at(*((part, 110, 110) for part in range(17)))
    outputs = np.full((2, *GRID), 1e-6, np.float32)
    keypoints, scores = assign(outputs, place(candidates, boxes, RULE.reach), candidates, boxes)
    assert scores.tolist() == [1, 0]
    assert not keypoints[1].any()
