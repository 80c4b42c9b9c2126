"""Pictures are kept once, the same whether or not their making was interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.skeletons import OPENPOSE_18
from tests.training.drawn import SIDE, folder_of_four, run_of, silent
from training.config import Config
from training.halves import halved
from training.keeping import made, make
from training.kept import decoded, encoded


class KilledError(Exception):
    pass


def augmented(folder: Path, pictures: int = 200) -> Config:
    kept = {"pictures": pictures, "size": 64, "held_out": 0.25, "augment": True}
    training = {"batch": 4, "crop": 64}
    annotations = folder_of_four(folder)
    data = {"images": folder, "annotations": annotations, "labels": 1.0, "portraits": 0.3}
    return run_of(annotations, data=[data], kept=kept, training=training)


def test_portraits_are_kept_after_the_other_pictures_of_their_source(tmp_path: Path) -> None:
    alone = {"half_body": 0.0, "mosaic": 0.0, "copy_paste": 0.0}
    config = augmented(tmp_path, 40)
    config = config.model_copy(update={"kept": config.kept.model_copy(update=alone)})
    make(config, None, tmp_path / "kept", silent)

    kept = made(config, tmp_path / "kept")

    def without_ankles(some: slice) -> float:
        ankles = [OPENPOSE_18.keypoints.index(f"{side}_ankle") for side in ("left", "right")]
        return float(
            (decoded(kept.maps[some][..., ankles].astype(float)).max((1, 2, 3)) < 0.5).mean()
        )

    assert kept.learned == 30
    assert without_ankles(np.s_[21:30]) > 0.5
    assert without_ankles(np.s_[:21]) < 0.2


def test_making_that_was_killed_goes_on_to_the_same_pictures(tmp_path: Path) -> None:
    config = augmented(tmp_path)

    def killing(done: int, total: int) -> None:
        if done:
            raise KilledError

    with pytest.raises(KilledError):
        make(config, None, tmp_path / "killed", killing)
    told: list[int] = []
    make(config, None, tmp_path / "killed", lambda done, _: told.append(done))
    make(config, None, tmp_path / "whole", silent)

    killed, whole = made(config, tmp_path / "killed"), made(config, tmp_path / "whole")
    assert told[0] == 64
    assert np.array_equal(killed.pictures, whole.pictures)
    assert np.array_equal(killed.maps, whole.maps)


def test_pictures_at_half_their_size_are_kept_beside_the_whole_ones(tmp_path: Path) -> None:
    training = {"batch": 4, "crop": SIDE, "halved": 0.5}
    config = run_of(folder_of_four(tmp_path), training=training)
    (tmp_path / "kept" / "half.new").mkdir(parents=True)  # of a making that was killed
    told: list[tuple[int, int]] = []
    make(config, None, tmp_path / "kept", lambda *progress: told.append(progress))

    kept = made(config, tmp_path / "kept")

    assert told[-2:] == [(4, 4), (4, 4)]  # of the whole ones, and of their halves
    assert kept.half is not None
    expected = halved(kept.pictures, kept.maps, len(OPENPOSE_18.keypoints))
    assert np.array_equal(kept.half.pictures, expected[0])
    assert np.array_equal(kept.half.maps, expected[1])
    assert made(run_of(tmp_path / "people.json"), tmp_path / "kept").half is None


def test_no_picture_is_both_learned_from_and_held_out(tmp_path: Path) -> None:
    config = run_of(
        folder_of_four(tmp_path),
        kept={"pictures": 8, "size": SIDE, "held_out": 0.5, "augment": False},
    )
    make(config, None, tmp_path / "kept", silent)

    kept = made(config, tmp_path / "kept")

    learned = {picture.tobytes() for picture in kept.pictures[: kept.learned]}
    held_out = {picture.tobytes() for picture in kept.pictures[kept.learned :]}
    assert len(learned) == len(held_out) == 2
    assert not learned & held_out


def test_pictures_of_other_settings_are_not_used(tmp_path: Path) -> None:
    config = augmented(tmp_path, 8)
    make(config, None, tmp_path / "kept", silent)

    with pytest.raises(ValueError, match="other settings: choose another --out"):
        make(config.model_copy(update={"seed": 2}), None, tmp_path / "kept", silent)


def test_maps_are_kept_to_a_hundredth_and_what_does_not_count_is_none() -> None:
    maps = np.array([-1.0, -0.004, 0.126, 1.0], np.float32)

    kept = encoded(maps, np.array([True, True, True, False]))

    values = decoded(torch.from_numpy(kept).float())
    assert np.allclose(values[:3], maps[:3], atol=0.0051)
    assert kept[3] == 0
    assert kept[:3].all()
