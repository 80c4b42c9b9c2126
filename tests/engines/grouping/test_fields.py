"""Limb candidates."""

from __future__ import annotations

import numpy as np
import pytest

from engines.grouping.fields import FieldRule, connect
from engines.grouping.peaks import PeakRule, find_peaks
from engines.skeletons import OPENPOSE_18
from tests.engines.grouping import reference
from tests.engines.grouping.scenes import draw_maps
from tests.shared import shared

UPSAMPLE = 4


@pytest.mark.parametrize("scene", ["s102", "s103", "s104", "s105"])
def test_scores_are_those_of_fields_that_were_enlarged_whole(scene: str) -> None:
    with np.load(shared("fixtures/decoding/lightweight-openpose.npz")) as stored:
        heatmaps = stored[f"{scene}_heatmaps"].astype(np.float32)
        fields = stored[f"{scene}_pafs"].astype(np.float32)
    peaks = find_peaks(heatmaps[:18], PeakRule())
    found = connect(fields, peaks, OPENPOSE_18, UPSAMPLE, FieldRule())
    scores = {
        (int(a), int(b)): float(score)
        for a, b, score in zip(found.first, found.second, found.score, strict=True)
    }
    enlarged = reference.enlarge(fields)
    candidates = [
        [
            (int(x), int(y), 0.0, int(peaks.starts[part]) + index)
            for index, (x, y) in enumerate(peaks.xy[peaks.starts[part] : peaks.starts[part + 1]])
        ]
        for part in range(18)
    ]
    for (first, second), channels in zip(OPENPOSE_18.limbs, OPENPOSE_18.fields, strict=True):
        field = enlarged[:, :, list(channels)]
        for a, b, score in reference.connect(candidates[first], candidates[second], field):
            assert scores[a, b] == pytest.approx(score, abs=1e-5)


def test_only_the_two_ends_of_a_limb_are_connected() -> None:
    shoulder, elbow, other_elbow = (200.0, 100.0), (260.0, 160.0), (140.0, 160.0)
    heatmaps, fields = draw_maps([{2: shoulder, 3: elbow}, {3: other_elbow}], OPENPOSE_18)
    peaks = find_peaks(heatmaps[:18], PeakRule())
    found = connect(fields, peaks, OPENPOSE_18, UPSAMPLE, FieldRule())
    assert [OPENPOSE_18.limbs[limb] for limb in found.limb] == [(2, 3)]
    assert peaks.xy[found.second[0], 0] > peaks.xy[found.first[0], 0]


def test_without_candidates_there_are_no_connections() -> None:
    heatmaps, fields = draw_maps([], OPENPOSE_18)
    peaks = find_peaks(heatmaps[:18], PeakRule())
    assert len(connect(fields, peaks, OPENPOSE_18, UPSAMPLE, FieldRule()).limb) == 0


def test_more_pairs_than_one_picture_of_opencv_holds_are_scored() -> None:
    noise = np.random.default_rng(0).random((18, 46, 82)).astype(np.float32)
    fields = np.ones((38, 46, 82), np.float32)
    peaks = find_peaks(noise, PeakRule())
    pairs = sum(
        int(np.diff(peaks.starts)[a] * np.diff(peaks.starts)[b]) for a, b in OPENPOSE_18.limbs
    )
    assert pairs > 2 * 32_767
    found = connect(fields, peaks, OPENPOSE_18, UPSAMPLE, FieldRule())
    line = peaks.xy[found.second] - peaks.xy[found.first]
    along = line.sum(axis=1) / np.hypot(line[:, 0], line[:, 1])
    assert found.score == pytest.approx(along, abs=1e-4)
