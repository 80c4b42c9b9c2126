"""Light and colour change, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.data.pictures import person, scene
from training.data.augment.colour import Colour
from training.data.scene import Scene

NONE = Colour(brightness=0, contrast=0, saturation=0, hue=0)


def coloured(*bgr: int) -> Scene:
    drawn = scene(person(160, 120)[:0], 16, 16)
    drawn.pixels[:] = bgr
    return drawn


def some(colour: Colour, drawn: Scene) -> np.ndarray:
    """(50, 3) what becomes of the first pixel."""
    return np.array(
        [colour(drawn, np.random.default_rng(seed)).pixels[0, 0] for seed in range(50)], int
    )


def test_without_strength_nothing_changes() -> None:
    drawn = scene(person(160, 120))
    drawn.pixels[:] = np.random.default_rng(0).integers(0, 256, drawn.pixels.shape)
    assert (NONE(drawn, np.random.default_rng(1)).pixels == drawn.pixels).all()


def test_labels_stay() -> None:
    drawn = scene(person(160, 120))
    changed = Colour()(drawn, np.random.default_rng(0))
    assert changed.people is drawn.people
    assert changed.counts is drawn.counts
    assert (changed.pixels != drawn.pixels).any()


def test_greys_stay_grey() -> None:
    values = some(Colour(), coloured(90, 90, 90))
    assert np.ptp(values, axis=1).max() <= 1
    assert np.ptp(values[:, 0]) > 40


def test_brightness_is_added_to_every_channel() -> None:
    values = some(replace(NONE, brightness=0.1), coloured(100, 120, 140)) - [100, 120, 140]
    assert np.ptp(values, axis=1).max() <= 1
    assert -26 <= values.min() < -20
    assert 20 < values.max() <= 26


def test_contrast_leaves_the_middle_where_it_is() -> None:
    contrast = replace(NONE, contrast=0.3)
    assert np.abs(some(contrast, coloured(127, 128, 127)) - 127.5).max() <= 1
    light = some(contrast, coloured(200, 200, 200))
    assert 176 <= light.min() < 182
    assert 216 < light.max() <= 223


def test_without_saturation_colours_become_greys_as_light_as_they() -> None:
    values = some(replace(NONE, saturation=1), coloured(40, 120, 200))
    spread = np.ptp(values, axis=1)
    assert spread.min() < 20
    assert spread.max() > 200
    assert values @ [0.114, 0.587, 0.299] == pytest.approx(134.8, abs=6)


def test_a_third_of_a_turn_makes_blue_green() -> None:
    values = some(replace(NONE, hue=120), coloured(200, 50, 50))
    assert values.sum(axis=1) == pytest.approx(300, abs=2)
    assert (values[:, 1] > 190).any()
    assert (values[:, 2] > 190).any()
