"""A teacher that sees pictures larger says what its student should say of them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

from engines.catalog import find
from engines.geometry import Floats
from engines.model import Model
from engines.options import Options
from engines.precision import Precision
from engines.runtime.engine import Batch, Maps, Pending
from engines.skeletons import OPENPOSE_18
from engines.systems import SYSTEMS
from training.data.augment.flip import Flip
from training.data.scene import Scene
from training.data.targets import TargetRule, targets
from training.teacher import Teacher, flipped, reduced, strongest, widened

RULE = TargetRule()


def scene(side: int) -> Scene:
    """One person, whose keypoints are anywhere in a grey picture."""
    person = np.random.default_rng(3).uniform(0.2 * side, 0.8 * side, (1, 18, 3))
    person[:, :, 2] = 2
    counts = np.full((side, side), -1, np.int32)
    return Scene(np.full((side, side, 3), 128, np.uint8), person.astype(np.float32), counts)


class Knowing:
    """An engine that knows where the person is, in a picture of any size."""

    name, device, max_batch, ahead = "knowing", "cpu", 2, 0
    precision: Precision = "fp32"

    def __init__(self) -> None:
        self.heights: list[int] = []

    def infer(self, batch: Batch) -> Maps:
        self.heights.append(batch.shape[1])
        made = targets(scene(batch.shape[1]), OPENPOSE_18, RULE)
        several = [len(batch)] + [1] * 3
        return {"heatmaps": np.tile(made[0], several), "fields": np.tile(made[1], several)}

    def start(self, batch: Batch) -> Pending:
        return lambda: self.infer(batch)

    def close(self) -> None:
        """Nothing is open."""


def model(engine: Knowing, name: str = "lightweight-openpose") -> Model:
    entry = find(name)
    return Model(entry, SYSTEMS[entry.system].make(entry, None, Options()), {name: engine})


def test_peaks_of_a_teacher_that_sees_twice_as_much_are_as_wide_and_high_as_a_students() -> None:
    theirs = targets(scene(256), OPENPOSE_18, RULE).heatmaps[None, :-1]
    ours = targets(scene(128), OPENPOSE_18, RULE).heatmaps[:-1]

    seen = widened(theirs, 2, RULE)[0]

    # Where a peak lies between the teacher's cells, they do not see its top.
    assert np.abs(seen - ours).max() < 0.3
    assert np.abs(seen - ours).mean() < 0.01
    highest = [maps.reshape(18, -1).argmax(axis=1) for maps in (seen, ours)]
    assert np.array_equal(*highest)


def test_noise_does_not_grow_where_peaks_are_widened() -> None:
    noise = np.random.default_rng(0).uniform(0, 0.02, (1, 1, 16, 16)).astype(np.float32)
    assert widened(noise, 2, RULE).max() <= 0.02


def test_bands_of_such_a_teacher_cover_those_of_a_student() -> None:
    theirs = targets(scene(256), OPENPOSE_18, RULE).fields[None]
    ours = targets(scene(128), OPENPOSE_18, RULE).fields

    seen = strongest(theirs, 2)[0]

    there = ours != 0
    along = (seen * ours).reshape(-1, 2, *ours.shape[1:]).sum(axis=1)
    assert (along[there.reshape(-1, 2, *ours.shape[1:]).any(axis=1)] > 0.9).mean() > 0.95
    assert np.abs(seen).max() <= 1


def test_maps_of_a_mirrored_picture_are_those_of_the_picture() -> None:
    shown = scene(128)
    mirrored = Flip(OPENPOSE_18)(shown, np.random.default_rng(0))
    theirs = joined(mirrored)

    assert np.allclose(flipped(theirs, OPENPOSE_18), joined(shown), atol=1e-5)


def test_it_looks_at_every_size_and_gives_the_mean_on_the_students_cells() -> None:
    engine = Knowing()
    made = Teacher(model(engine), (1, 2)).maps(np.zeros((3, 256, 256, 3), np.uint8))

    ours = targets(scene(128), OPENPOSE_18, RULE)
    assert made.shape == (3, 57, 16, 16)
    assert engine.heights == [128, 128, 256, 256]
    assert np.abs(made[2, :18] - ours.heatmaps[:-1]).max() < 0.15
    assert np.allclose(made[:, 18], 1 - made[:, :18].max(axis=1))


def test_pictures_are_reduced_by_area() -> None:
    pictures = np.zeros((1, 4, 4, 3), np.uint8)
    pictures[0, 0, 0] = 200
    assert reduced(pictures, 2)[0, 0, 0].tolist() == [50, 50, 50]


def test_a_model_without_fields_is_no_teacher() -> None:
    with pytest.raises(ValueError, match="choose a teacher that has them"):
        Teacher(model(Knowing(), "pp-tinypose-256x192"))


def joined(shown: Scene) -> Floats:
    made = targets(shown, OPENPOSE_18, RULE)
    return np.concatenate([made.heatmaps, made.fields])[None]
