"""Keypoint candidates."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.grouping.peaks import PeakRule, find_peaks
from engines.people import Floats
from tests.engines.grouping import reference
from tests.parity.decoding.lightweight_openpose import same_candidates
from tests.shared import shared

EVERY_PEAK = PeakRule(min_distance=0, max_peaks=100_000)


def blob(x: float, y: float, height: int = 20, width: int = 30, peak: float = 1.0) -> Floats:
    """One Gaussian peak on a heatmap, at map pixels x, y."""
    ys, xs = np.mgrid[:height, :width]
    heat: Floats = (peak * np.exp(-((xs - x) ** 2 + (ys - y) ** 2) / 2)).astype(np.float32)
    return heat


@pytest.mark.parametrize("scene", ["s101", "s102", "s103", "s104", "s105"])
def test_candidates_are_those_of_the_original(scene: str) -> None:
    with np.load(shared("fixtures/decoding/lightweight-openpose.npz")) as stored:
        heatmaps = stored[f"{scene}_heatmaps"].astype(np.float32)
        assert same_candidates(heatmaps, stored[f"{scene}_keypoints"])


def test_peaks_are_those_of_the_whole_enlarged_map() -> None:
    noise = np.random.default_rng(0).standard_normal((6, 46, 82)).astype(np.float32)
    heatmaps = np.stack([cv2.GaussianBlur(one, (0, 0), 1.5) for one in noise])
    expected = [
        (part, x, y)
        for part, one in enumerate(reference.enlarge(heatmaps).transpose(2, 0, 1))
        for x, y in _peaks(one)
    ]
    found = find_peaks(heatmaps, EVERY_PEAK)
    assert list(zip(found.part.tolist(), *found.xy.T.tolist(), strict=True)) == expected
    assert len(expected) > 100


def _peaks(heat: Floats) -> list[tuple[int, int]]:
    around = np.pad(np.where(heat < 0.1, np.float32(0), heat), 1)
    here = around[1:-1, 1:-1]
    higher = (here > around[1:-1, 2:]) & (here > around[1:-1, :-2])
    ys, xs = np.nonzero(higher & (here > around[2:, 1:-1]) & (here > around[:-2, 1:-1]))
    return sorted(zip(xs.tolist(), ys.tolist(), strict=True))


@pytest.mark.parametrize("upsample", [2, 4, 8])
def test_a_peak_is_found_where_it_is_to_a_fraction_of_a_pixel(upsample: int) -> None:
    found = find_peaks(blob(12.3, 7.8)[None], PeakRule(upsample=upsample))
    (place,) = (found.xy + found.shift + 0.5) / upsample - 0.5
    assert place == pytest.approx([12.3, 7.8], abs=0.1)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (29, 0), (0, 19), (29, 19)])
def test_a_peak_in_a_corner_of_the_map_is_found(x: int, y: int) -> None:
    assert len(find_peaks(blob(x, y)[None], PeakRule()).part) == 1


def test_a_plateau_has_one_peak() -> None:
    heatmap = np.zeros((1, 20, 30), np.float32)
    heatmap[0, 8:10, 12:14] = 0.9
    assert len(find_peaks(heatmap, PeakRule()).part) == 1


def test_maps_below_the_threshold_have_no_peaks() -> None:
    assert len(find_peaks(blob(12, 7, peak=0.09)[None], PeakRule()).part) == 0


def test_of_two_near_peaks_the_left_one_is_kept() -> None:
    heatmap = blob(8, 9, peak=0.8) + blob(12, 9, peak=0.9)
    every = find_peaks(heatmap[None], EVERY_PEAK)
    kept = find_peaks(heatmap[None], PeakRule(min_distance=20))
    assert len(every.part) == 2
    assert kept.xy.tolist() == [every.xy[every.xy[:, 0].argmin()].tolist()]


def test_no_more_than_the_highest_peaks_of_a_keypoint_are_kept() -> None:
    noise = np.random.default_rng(1).random((2, 46, 82)).astype(np.float32)
    every = find_peaks(noise, EVERY_PEAK)
    kept = find_peaks(noise, PeakRule(min_distance=0, max_peaks=20))
    assert np.diff(kept.starts).tolist() == [20, 20]
    for part in range(2):
        highest = np.sort(every.score[every.part == part])[-20:]
        assert np.sort(kept.score[kept.part == part]).tolist() == highest.tolist()
