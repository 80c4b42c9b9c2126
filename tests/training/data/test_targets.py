"""Targets are those of a written-out example, and decode to the people they were made of."""

from __future__ import annotations

import numpy as np
import pytest

from engines.geometry import Letterbox, letterbox
from engines.grouping.part_affinity import PartAffinityRule, group
from engines.skeletons import OPENPOSE_18, Skeleton
from tests.training.data.pictures import ALL, KEYPOINTS, only, person, scene
from training.data.scene import Scene, everything, moved
from training.data.targets import TargetRule, Targets, targets

ARM = Skeleton(
    name="arm",
    keypoints=("elbow", "wrist"),
    limbs=((0, 1),),
    sigmas=(0.1, 0.1),
    flip_pairs=(),
    fields=((0, 1),),
)
WIDE = TargetRule(sigma=8, band=0.5)  # a deviation of one cell, a band of one cell


def arms(*people: tuple[tuple[float, float, int], ...], width: int = 40, height: int = 24) -> Scene:
    pixels = np.zeros((height, width, 3), np.uint8)
    keypoints = np.array(people, np.float32).reshape(-1, 2, 3)
    return Scene(pixels, keypoints, np.full((height, width), everything(2), np.int32))


def of(drawn: Scene, rule: TargetRule | None = None) -> Targets:
    return targets(drawn, OPENPOSE_18, rule or TargetRule())


def test_the_maps_of_a_level_arm_are_these() -> None:
    """The elbow is in the middle of the cell in row 1, column 1, the wrist of that in column 3."""
    made = targets(arms(((12, 12, 2), (28, 12, 1))), ARM, WIDE)
    one, two, diagonal, far = np.exp([-0.5, -2, -1, -2.5])  # by distance in cells
    elbow = [
        [diagonal, one, diagonal, far, 0],  # the last would be 0.0067, and less than 0.01 is 0
        [one, 1, one, two, np.exp(-4.5)],
        [diagonal, one, diagonal, far, 0],
    ]
    wrist = np.fliplr(elbow)
    assert made.heatmaps[:2] == pytest.approx(np.stack([elbow, wrist]), abs=1e-6)
    assert made.heatmaps[2] == pytest.approx(1 - np.maximum(elbow, wrist), abs=1e-6)
    assert made.fields.tolist() == [[[0] * 5, [0, 1, 1, 1, 0], [0] * 5], [[0] * 5] * 3]
    assert made.mask.tolist() == np.ones((5, 3, 5)).tolist()


def test_where_arms_cross_the_field_is_their_mean() -> None:
    level, upright = ((4, 12, 2), (36, 12, 2)), ((20, 4, 2), (20, 20, 2))
    made = targets(arms(level, upright), ARM, WIDE)
    assert made.fields[:, 1].T.tolist() == [[1, 0], [1, 0], [0.5, 0.5], [1, 0], [1, 0]]
    assert made.fields[:, 0, 2].tolist() == [0, 1]


def test_a_slanted_limb_has_a_unit_vector_in_a_band_of_one_cell_to_either_side() -> None:
    made = targets(arms(((37, 36, 2), (85, 100, 2)), width=160, height=160), ARM, TargetRule())
    drawn = made.fields.any(axis=0)
    vectors = made.fields[:, drawn]
    assert vectors == pytest.approx(np.broadcast_to([[0.6], [0.8]], vectors.shape))
    ys, xs = np.mgrid[:20, :20] * 8 + 4.0 - np.reshape([36, 37], (2, 1, 1))
    along, aside = 0.6 * xs + 0.8 * ys, 0.8 * xs - 0.6 * ys
    band = (np.abs(aside) <= 8) & (along >= -8) & (along <= 88)
    assert drawn.tolist() == band.tolist()


def test_of_overlapping_peaks_the_higher_one_counts() -> None:
    near, apart = ((10.0, 12.0, 2), (0.0, 0.0, 0)), ((22.0, 12.0, 2), (0.0, 0.0, 0))
    both = targets(arms(near, apart), ARM, WIDE).heatmaps[0]
    each = [targets(arms(one), ARM, WIDE).heatmaps[0] for one in (near, apart)]
    assert both.tolist() == np.maximum(*each).tolist()


def test_what_is_not_labelled_has_no_peak_and_no_limb() -> None:
    made = targets(arms(((12, 12, 2), (0, 0, 0))), ARM, WIDE)
    assert not made.heatmaps[1].any()
    assert not made.fields.any()


def test_a_limb_without_length_and_a_picture_of_nobody_have_no_field() -> None:
    assert not targets(arms(((12, 12, 2), (12, 12, 2))), ARM, WIDE).fields.any()
    empty = targets(arms(), ARM, WIDE)
    assert not empty.fields.any()
    assert (empty.heatmaps[2] == 1).all()


def test_labels_teach_only_keypoints_that_count_and_limbs_between_them() -> None:
    """In the left half of the picture nobody has annotated noses."""
    drawn = scene(person(160, 100))
    nose, right_eye = 0, 14
    drawn.counts[:, :160] = ALL - 1
    mask = of(drawn).mask
    assert mask.shape == (KEYPOINTS + 1 + 38, 30, 40)
    assert mask[nose, :, :20].max() == 0
    assert mask[nose, :, 20:].min() == 1
    assert mask[right_eye].min() == 1
    background = mask[KEYPOINTS]
    assert background[:, :20].max() == 0
    assert background[:, 20:].min() == 1
    for limb, channels in zip(OPENPOSE_18.limbs, OPENPOSE_18.fields, strict=True):
        of_limb = mask[KEYPOINTS + 1 :][list(channels)]
        assert of_limb.min() == (0 if nose in limb else 1)
        assert of_limb[:, :, 20:].min() == 1


def test_a_crowd_teaches_nothing_where_it_is() -> None:
    drawn = scene(person(160, 100))
    drawn.counts[19:35, 11:27] = 0  # the centres of rows 2 and 3, columns 1 and 2
    mask = of(drawn).mask
    assert mask[:, 2:4, 1:3].max() == 0
    mask[:, 2:4, 1:3] = 1
    assert mask.min() == 1


def test_a_scene_without_whole_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="40 x 25 has no whole cells: crop to multiples of 8"):
        targets(arms(height=25), ARM, WIDE)


@pytest.mark.parametrize("height", [192, 256, 368])
@pytest.mark.parametrize("rule", [TargetRule(), TargetRule(stride=4, sigma=4)])
def test_people_come_back_through_the_models_own_way_to_where_they_were(
    height: int, rule: TargetRule
) -> None:
    """Network input, targets in place of its answer, grouping, and back to the picture."""
    rng = np.random.default_rng(height)
    off = []
    for _ in range(20):
        truth = person(rng.uniform(120, 520), rng.uniform(190, 240), rng.uniform(1.3, 1.7))
        prepared = letterbox(scene(truth, 640, 427).pixels, Letterbox(height, rule.stride))
        shrunk = truth.copy()
        shrunk[:, :, :2] = truth[:, :, :2] * prepared.scale + prepared.offset
        drawn = scene(shrunk, *prepared.pixels.shape[1::-1])
        made = of(drawn, rule)
        found, _ = group(made.heatmaps, made.fields, OPENPOSE_18, rule.stride, PartAffinityRule())
        assert len(found) == 1
        assert (found[0, :, 2] > 0.5).all()
        off.append((prepared.to_image(found[0, :, :2]) - truth[0, :, :2]) * prepared.scale)
    assert np.abs(np.mean(off, axis=(0, 1))).max() < 0.1  # of a pixel of the network's input
    assert np.abs(off).max() < 1.5


def test_people_of_a_crowd_come_back_apart() -> None:
    places = [(60, 90), (110, 100), (160, 90), (215, 95), (270, 92)]
    truth = np.concatenate([person(x, y, 0.95) for x, y in places])
    made = of(scene(truth, 320, 200))
    found, scores = group(made.heatmaps, made.fields, OPENPOSE_18, 8, PartAffinityRule())
    assert (found[:, :, 2] > 0).all()
    assert (scores > 0.8).all()
    order = np.argsort(found[:, 1, 0])
    assert found[order, :, :2] + 0.5 == pytest.approx(truth[:, :, :2], abs=1.5)


def test_somebody_half_outside_is_found_by_what_is_inside() -> None:
    legs = only(person(100, 80), "right_hip", "right_knee", "left_hip", "left_knee", "neck")
    made = of(scene(moved(legs, 0, 20), 200, 160))
    found, _ = group(made.heatmaps, made.fields, OPENPOSE_18, 8, PartAffinityRule())
    assert (found[:, :, 2] > 0).tolist() == (legs[:, :, 2] > 0).tolist()
