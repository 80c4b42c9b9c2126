"""The pictures that a run learns from, and those that it is validated on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engines.skeletons import Skeleton
from training.config import Config, Source
from training.data.coco import read
from training.data.sample import Sample, pictures


class Weighted(NamedTuple):
    """A sample, and how much its labels say beside a teacher."""

    sample: Sample
    labels: float


class Parts(NamedTuple):
    """What every kept picture is made of, in their order; samples are repeated as asked."""

    learned: list[Weighted]
    held_out: list[Weighted]


def parts(config: Config, skeleton: Skeleton) -> Parts:
    """The sources by their shares. No picture is in both parts.

    Raises:
        As `training.data.coco.read`. ValueError: too few kept pictures for the sources.
    """
    rng = np.random.default_rng(config.seed)
    total = sum(source.share for source in config.data)
    learned: list[Weighted] = []
    held_out: list[Weighted] = []
    for source in config.data:
        samples = _samples(source, skeleton)
        order = rng.permutation(len(samples)).tolist()
        apart = round(config.kept.held_out * len(samples))
        count = round(config.kept.pictures * source.share / total)
        for into, chosen in ((held_out, order[:apart]), (learned, order[apart:])):
            many = round(count * len(chosen) / len(samples))
            into += [Weighted(samples[index], source.labels) for index in _repeated(chosen, many)]
    if not learned:
        raise ValueError("nothing is left to learn from: keep more pictures, or hold out fewer")
    return Parts(learned, held_out)


def _samples(source: Source, skeleton: Skeleton) -> list[Sample]:
    if source.annotations is None:
        return pictures(source.images, skeleton)
    return read(source.annotations, source.images, skeleton, everyone=source.everyone)


def _repeated(indices: Sequence[int], count: int) -> list[int]:
    """So many of them, each as often as the other or once more."""
    times = -(-count // len(indices)) if indices else 0
    return (list(indices) * times)[:count]
