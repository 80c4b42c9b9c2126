"""Batches follow from the seed and the step, and what is done to a picture is done to its maps."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.skeletons import OPENPOSE_18
from tests.training.drawn import SIDE, folder_of_four, run_of, silent
from training.batches import Batch, Batches, Part, plain
from training.config import Training
from training.data.augment.flip import Flip
from training.data.coco import read
from training.data.targets import TargetRule, targets
from training.halves import halve, halves
from training.keeping import made, make
from training.kept import Kept, decoded

CPU = torch.device("cpu")
PLAIN = {"flip": 0, "brightness": 0, "contrast": 0, "erase": 0}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    config = run_of(folder_of_four(tmp_path))
    make(config, None, tmp_path / "kept", silent)
    return made(config, tmp_path / "kept")


def batches(kept: Kept, **chosen: object) -> Batches:
    training = Training.model_validate({"batch": 4, "crop": SIDE, **chosen})
    return Batches(kept, training, OPENPOSE_18, seed=1)


def some(made: Batches, step: int, count: int) -> list[Batch]:
    return list(itertools.islice(made.since(step), count))


def test_batches_from_a_step_on_are_those_of_a_run_from_the_beginning(kept: Kept) -> None:
    whole = some(batches(kept, batch=2, crop=96), 0, 6)
    later = some(batches(kept, batch=2, crop=96), 3, 3)

    for one, other in zip(whole[3:], later, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_every_picture_comes_once_an_epoch(kept: Kept) -> None:
    first, second = some(batches(kept, batch=2, **PLAIN), 0, 2)

    images = torch.cat([first.images, second.images]).flatten(1)
    assert len({image.numpy().tobytes() for image in images}) == 4


def test_parts_of_several_processes_make_up_the_batch_of_one(kept: Kept) -> None:
    chosen = Training(batch=4, crop=96, close=0.5, patch=0.5)
    (alone,) = some(Batches(kept, chosen, OPENPOSE_18, 1), 5, 1)
    for rank in range(2):
        (part,) = some(Batches(kept, chosen, OPENPOSE_18, 1, part=Part(rank, 2)), 5, 1)
        assert all(torch.equal(a, b[rank::2]) for a, b in zip(part, alone, strict=True))
        (whole,) = some(Batches(kept, chosen, OPENPOSE_18, 1, part=Part(rank, 2)).whole(), 5, 1)
        assert all(torch.equal(a, b) for a, b in zip(whole, alone, strict=True))


def test_a_mirrored_picture_has_the_maps_of_its_mirrored_people(tmp_path: Path, kept: Kept) -> None:
    (turned,) = some(batches(kept, **{**PLAIN, "flip": 1}), 0, 1)
    samples = read(tmp_path / "people.json", tmp_path, OPENPOSE_18)
    flip = Flip(OPENPOSE_18)
    for sample in samples:
        scene = flip(sample.scene(), np.random.default_rng(0))
        heatmaps, fields, _ = targets(scene, OPENPOSE_18, TargetRule())
        image = (torch.from_numpy(scene.pixels.transpose(2, 0, 1).copy()).float() - 128) / 256
        (at,) = [i for i in range(4) if torch.equal(turned.images[i], image)]
        asked = torch.from_numpy(np.concatenate([heatmaps, fields]))
        torch.testing.assert_close(turned.maps[at], asked, rtol=0, atol=0.0051)


def test_a_crop_is_of_whole_cells(kept: Kept) -> None:
    (batch,) = some(batches(kept, **{**PLAIN, "crop": 96}), 0, 1)
    whole = plain(kept.pictures[:4], kept.maps[:4], CPU)
    found = 0
    for image, maps in zip(batch.images, batch.maps, strict=True):
        for y, x in itertools.product(range(5), repeat=2):
            there = whole.images[:, :, 8 * y : 8 * y + 96, 8 * x : 8 * x + 96]
            for number in range(4):
                if torch.equal(there[number], image):
                    found += 1
                    assert torch.equal(whole.maps[number, :, y : y + 12, x : x + 12], maps)
    assert found == 4


def test_brightness_contrast_and_erasing_leave_maps_alone(kept: Kept) -> None:
    (plainly,) = some(batches(kept, **PLAIN), 0, 1)
    (changed,) = some(batches(kept, flip=0, erase=1), 0, 1)

    assert torch.equal(plainly.maps, changed.maps)
    assert not torch.equal(plainly.images, changed.images)
    assert ((changed.images == 0).all(dim=1).flatten(1).sum(1) >= (SIDE // 8) ** 2).all()


def test_what_does_not_count_does_not(kept: Kept) -> None:
    maps = np.array(kept.maps)
    maps[:, 3, 4] = 0
    (batch,) = some(batches(Kept(kept.pictures, maps, 4), **PLAIN), 0, 1)

    assert not batch.counts[:, :, 3, 4].any()
    assert batch.counts.sum() == batch.counts.numel() - 4 * 57
    assert decoded(torch.tensor([128.0])) == 0


def test_fewer_pictures_than_a_batch_are_refused(kept: Kept) -> None:
    with pytest.raises(ValueError, match="keep more of them"):
        batches(kept, batch=5)


def test_pictures_in_which_nothing_is_asked_for_come_seldom(kept: Kept) -> None:
    maps = np.tile(np.array(kept.maps), (25, 1, 1, 1))
    maps[::2] = 128  # nothing, anywhere
    pictures = np.tile(np.array(kept.pictures), (25, 1, 1, 1))
    pictures[::2] = 0
    many = batches(Kept(pictures, maps, 100), **PLAIN, empty=0.1)
    seen = [not image.eq(-0.5).all() for batch in some(many, 0, 260) for image in batch.images]
    assert 0.85 < np.mean(seen) < 0.97


def test_some_batches_are_seen_at_half_their_size_four_pictures_as_one(
    tmp_path: Path, kept: Kept
) -> None:
    halve(kept, len(OPENPOSE_18.keypoints), tmp_path / "half", silent)
    kept = replace(kept, half=halves(kept, tmp_path / "half"))
    many = [len(batch.images) for batch in some(batches(kept, halved=0.5), 0, 40)]
    assert set(many) == {4, 1}
    assert 10 < many.count(4) < 30
    (half,) = some(batches(kept, halved=1), 0, 1)
    assert half.images.shape == (1, 3, SIDE, SIDE)
    assert half.maps.shape == half.counts.shape == (1, 57, SIDE // 8, SIDE // 8)


def test_some_batches_are_of_a_quarter_of_every_picture(kept: Kept) -> None:
    many = some(batches(kept, **PLAIN, close=0.5), 0, 40)

    assert {len(batch.images) for batch in many} == {4, 1}
    assert {batch.images.shape[2:] for batch in many} == {(SIDE, SIDE)}
    (close,) = some(batches(kept, **PLAIN, close=1), 0, 1)
    whole = plain(kept.pictures[:4], kept.maps[:4], CPU)
    half, cells = SIDE // 2, SIDE // 16
    quarters = itertools.product((0, half), (0, half))
    found = 0
    for (top, left), y, x in itertools.product(quarters, range(cells + 1), range(cells + 1)):
        seen = close.images[0, :, top : top + half, left : left + half]
        at = np.s_[:, :, 8 * y : 8 * y + half, 8 * x : 8 * x + half]
        found += sum(torch.equal(seen, picture) for picture in whole.images[at])
    assert found == 4, "a picture is made of a piece of each of four, as large as they are"


def test_a_piece_of_a_picture_is_of_another_one_with_its_maps(kept: Kept) -> None:
    (alone,), (mixed,) = (some(batches(kept, **PLAIN, patch=patch), 0, 1) for patch in (0, 1))

    images, maps = ((a != b).any(dim=1) for a, b in zip(alone[:2], mixed[:2], strict=True))
    for image, cells in zip(images, maps, strict=True):
        rows, columns = image.any(1).nonzero(), image.any(0).nonzero()
        assert 0 < len(rows) <= 3 * SIDE / 4
        assert 0 < len(columns) <= 3 * SIDE / 4
        inside = torch.zeros_like(cells)
        inside[rows[0] // 8 : rows[-1] // 8 + 1, columns[0] // 8 : columns[-1] // 8 + 1] = True
        assert not (cells & ~inside).any()
    assert maps.any()


def test_halves_that_are_not_there_are_named(kept: Kept) -> None:
    with pytest.raises(ValueError, match="are there at half their size"):
        batches(kept, halved=0.5)
