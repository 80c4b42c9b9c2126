"""Kept pictures at half their size have the maps of what is seen in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.skeletons import OPENPOSE_18
from tests.training.drawn import folder_of_four
from training.data.coco import read
from training.data.targets import TargetRule, targets
from training.halves import halved, tiled
from training.kept import decoded, encoded
from training.teacher import reduced

PARTS = len(OPENPOSE_18.keypoints)


def test_the_maps_are_those_of_the_smaller_scene(tmp_path: Path) -> None:
    for sample in read(folder_of_four(tmp_path), tmp_path, OPENPOSE_18):
        scene = sample.scene()
        near = targets(scene, OPENPOSE_18, TargetRule())
        kept = encoded(np.concatenate(near[:2]).transpose(1, 2, 0))[None]
        people = scene.people * np.array([0.5, 0.5, 1], np.float32)

        small = replace(
            scene,
            pixels=reduced(scene.pixels[None], 2)[0],
            people=people,
            counts=scene.counts[::2, ::2],
        )
        far = targets(small, OPENPOSE_18, TargetRule())

        pictures, maps = halved(scene.pixels[None], kept, PARTS)

        assert np.array_equal(pictures[0], small.pixels)
        made = decoded(maps[0].transpose(2, 0, 1).astype(np.float32))
        heatmaps, background, fields = np.split(made, [PARTS, PARTS + 1])
        # Where a peak lies between the cells of the larger maps, they do not see its top.
        assert np.abs(heatmaps - far.heatmaps[:-1]).max() < 0.35
        assert np.abs(heatmaps - far.heatmaps[:-1]).mean() < 0.03
        assert np.abs(background - far.heatmaps[-1:]).mean() < 0.1
        drawn = far.fields != 0
        assert (np.sign(fields[drawn]) == np.sign(far.fields[drawn])).mean() > 0.95


def test_a_cell_counts_if_the_four_that_it_is_made_of_do() -> None:
    pictures = np.zeros((1, 32, 32, 3), np.uint8)
    kept = np.full((1, 4, 4, 57), 128, np.uint8)
    kept[0, 1, 2, 5] = 0
    _, maps = halved(pictures, kept, PARTS)
    assert np.argwhere(maps == 0).tolist() == [[0, 0, 1, 5]]


def test_four_pictures_make_one_row_by_row() -> None:
    values = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 3, 2, 2)
    made = tiled(values)

    assert made.shape == (2, 3, 4, 4)
    assert made[0, 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    assert made[1, 2, 0].tolist() == [4, 4, 5, 5]


def test_pictures_that_make_no_whole_number_stay_apart() -> None:
    values = torch.zeros(6, 3, 2, 2)
    assert tiled(values) is values
