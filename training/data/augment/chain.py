"""Augmentations one after the other, and now and then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.data.scene import Scene

Augmentation = Callable[[Scene, np.random.Generator], Scene]
"""All chance comes from the generator, so that its state decides what is made of a scene."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Augmentations in their order."""

    steps: tuple[Augmentation, ...]

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        for step in self.steps:
            scene = step(scene, rng)
        return scene


@dataclass(frozen=True, slots=True)
class Sometimes:
    """An augmentation with a probability, and what else happens."""

    probability: float
    step: Augmentation
    otherwise: Augmentation | None = None

    def __call__(self, scene: Scene, rng: np.random.Generator) -> Scene:
        if rng.random() < self.probability:
            return self.step(scene, rng)
        return scene if self.otherwise is None else self.otherwise(scene, rng)
