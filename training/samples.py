"""The pictures that a run learns from, and those that it is validated on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from engines.skeletons import Skeleton
from training.config import Config, Source
from training.data.augment.portrait import trunks
from training.data.coco import read
from training.data.sample import Sample, pictures


class Share(NamedTuple):
    """Samples that are augmented in the same way, each as often as it comes.

    Attributes:
        labels: how much they say beside a teacher.
        near: whether their people are seen from near; see `training.data.augment.portrait`.
    """

    samples: list[Sample]
    labels: float
    near: bool = False


class Parts(NamedTuple):
    """What every kept picture is made of, in their order."""

    learned: list[Share]
    held_out: list[Share]


def parts(config: Config, skeleton: Skeleton) -> Parts:
    """The sources by their shares. No picture is in both parts.

    Raises:
        As `training.data.coco.read`. ValueError: too few kept pictures for the sources, or
            portraits of a source that has no shoulders.
    """
    rng = np.random.default_rng(config.seed)
    total = sum(source.share for source in config.data)
    made = Parts([], [])
    for source in config.data:
        samples = _samples(source, skeleton)
        order = rng.permutation(len(samples)).tolist()
        apart = round(config.kept.held_out * len(samples))
        count = round(config.kept.pictures * source.share / total)
        for part, chosen in ((made.held_out, order[:apart]), (made.learned, order[apart:])):
            many = round(count * len(chosen) / len(samples))
            part.extend(_shares(source, [samples[index] for index in chosen], many, skeleton))
    if not made.learned:
        raise ValueError("nothing is left to learn from: keep more pictures, or hold out fewer")
    return made


def _shares(
    source: Source, samples: Sequence[Sample], count: int, skeleton: Skeleton
) -> list[Share]:
    """So many kept pictures of a source's samples: first as they are taken, then from near."""
    near = _with_trunks(samples, skeleton) if source.portraits else []
    portraits = round(source.portraits * count) if near else 0
    shares = (
        Share(_repeated(samples, count - portraits), source.labels),
        Share(_repeated(near, portraits), source.labels, near=True),
    )
    return [share for share in shares if share.samples]


def _with_trunks(samples: Sequence[Sample], skeleton: Skeleton) -> list[Sample]:
    return [sample for sample in samples if trunks(sample.people, skeleton)]


def _samples(source: Source, skeleton: Skeleton) -> list[Sample]:
    if source.annotations is None:
        samples = pictures(source.images, skeleton)
    else:
        samples = read(source.annotations, source.images, skeleton, everyone=source.everyone)
    if source.portraits and not _with_trunks(samples, skeleton):
        raise ValueError(
            f"nobody's shoulders are labelled in {source.annotations or source.images}: remove "
            "its portraits"
        )
    return samples


def _repeated(samples: Sequence[Sample], count: int) -> list[Sample]:
    """So many of them, each as often as the other or once more."""
    times = -(-count // len(samples)) if samples else 0
    return (list(samples) * times)[:count]
