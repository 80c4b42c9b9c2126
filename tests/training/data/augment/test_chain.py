"""Augmentations in turn and by chance."""

from __future__ import annotations

import numpy as np

from tests.training.data.pictures import person, scene
from training.data.augment.chain import Augmentation, Chain, Sometimes
from training.data.scene import Scene


def add(value: int) -> Augmentation:
    return lambda drawn, _: Scene(drawn.pixels + np.uint8(value), drawn.people, drawn.counts)


def double(drawn: Scene, _: np.random.Generator) -> Scene:
    return Scene(drawn.pixels * 2, drawn.people, drawn.counts)


def first(step: Augmentation, seed: int = 0) -> int:
    drawn = scene(person(160, 120)[:0], 8, 8)
    drawn.pixels[:] = 3
    return int(step(drawn, np.random.default_rng(seed)).pixels[0, 0, 0])


def test_a_chain_keeps_its_order() -> None:
    assert first(Chain((add(1), double))) == 8
    assert first(Chain((double, add(1)))) == 7
    assert first(Chain(())) == 3


def test_sometimes_is_as_often_as_it_says_and_otherwise_else() -> None:
    some = [first(Sometimes(0.3, add(1)), seed) for seed in range(300)]
    assert set(some) == {3, 4}
    assert 60 < some.count(4) < 120
    assert {first(Sometimes(0.5, add(1), add(2)), seed) for seed in range(20)} == {4, 5}
    assert first(Sometimes(0, add(1))) == 3
    assert first(Sometimes(1, add(1), add(2))) == 4
