"""What is made of a sample depends on seed, epoch and index, and on nothing else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from engines.skeletons import OPENPOSE_18
from tests.training.data.pictures import ALL, person, scene
from training.data.augment.affine import Affine
from training.data.augment.standard import standard
from training.data.dataset import Item, SceneDataset
from training.data.sample import Sample, pictures


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four pictures with people, and one that nobody has labelled."""
    made = []
    for index in range(4):
        people = np.concatenate([person(100, 100), person(200 + 10 * index, 110)])
        path = tmp_path / f"{index}.png"
        cv2.imwrite(str(path), scene(people).pixels)
        made.append(Sample(path, people, np.zeros((2, 4), np.float32), np.ones(2, np.float32), ALL))
    return [*made, *pictures(tmp_path, OPENPOSE_18)[:1]]


def dataset(samples: list[Sample], seed: int = 0, epoch: int = 0) -> SceneDataset:
    augment = standard(
        OPENPOSE_18, samples, Affine((96, 64)), mosaic=0.5, copy_paste=0.5, half_body=0.5
    )
    made = SceneDataset(samples, augment, OPENPOSE_18, seed=seed)
    made.set_epoch(epoch)
    return made


def same(one: Item, other: Item) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_an_item_is_pixels_maps_and_a_mask(samples: list[Sample]) -> None:
    item = dataset(samples)[0]
    assert item.pixels.shape == (3, 64, 96)
    assert item.heatmaps.shape == (19, 8, 12)
    assert item.fields.shape == (38, 8, 12)
    assert item.mask.shape == (57, 8, 12)
    assert [tensor.dtype for tensor in item] == [torch.uint8, *(torch.float32,) * 3]
    assert item.heatmaps[:-1].max() > 0.5


def test_the_same_seed_epoch_and_index_give_the_same_item(samples: list[Sample]) -> None:
    one, other = dataset(samples, 3, 2), dataset(samples, 3, 2)
    backwards = [other[index] for index in reversed(range(5))][::-1]
    assert all(same(one[index], backwards[index]) for index in range(5))


def test_another_seed_or_epoch_gives_another(samples: list[Sample]) -> None:
    item = dataset(samples, 3, 2)[0]
    assert not same(item, dataset(samples, 4, 2)[0])
    assert not same(item, dataset(samples, 3, 3)[0])


def test_labels_teach_nothing_in_a_picture_without_them(samples: list[Sample]) -> None:
    alone = SceneDataset(samples[4:], Affine((96, 64)), OPENPOSE_18)
    assert len(alone) == 1
    assert alone[0].mask.max() == 0


def test_where_nobody_is_labelled_nobody_is_pasted(samples: list[Sample]) -> None:
    unlabelled = samples[4:]
    augment = standard(OPENPOSE_18, unlabelled, Affine((96, 64)), mosaic=1, copy_paste=1)
    assert SceneDataset(unlabelled, augment, OPENPOSE_18)[0].mask.max() == 0


def test_only_pictures_with_people_are_joined_to_others(samples: list[Sample]) -> None:
    """Of many without labels."""
    augment = standard(OPENPOSE_18, samples + samples[4:] * 20, Affine((96, 64)), mosaic=1)
    for seed in range(10):
        made = augment(samples[4].scene(), np.random.default_rng(seed))
        assert len(made.people) >= 3


def test_workers_that_live_on_see_the_epoch(samples: list[Sample]) -> None:
    """Items of one epoch and of the next come from a process of their own as from this one."""
    made = dataset(samples)
    loader = DataLoader(
        made, batch_size=5, num_workers=1, persistent_workers=True, multiprocessing_context="spawn"
    )
    for epoch in (0, 1):
        made.set_epoch(epoch)
        (batch,) = list(loader)
        here = dataset(samples, epoch=epoch)
        assert isinstance(batch, Item)
        for index in range(5):
            assert same(Item(*(tensor[index] for tensor in batch)), here[index])
