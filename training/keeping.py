"""Makes the pictures that are kept: augmented, and with their teacher's maps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import numpy as np

from engines.skeletons import SKELETONS, Skeleton
from training.config import Config
from training.data.augment.affine import Affine
from training.data.augment.chain import Augmentation
from training.data.augment.standard import standard
from training.data.dataset import Item, SceneDataset
from training.data.sample import Sample
from training.data.scene import Scene
from training.data.targets import TargetRule
from training.halves import Told, halve, halves
from training.kept import Bytes, Kept, Shelf, encoded
from training.samples import Parts, Share, parts
from training.teacher import Teacher, reduced

_HALF = "half"  # the folder of the kept pictures at half their size
_BLOCK = 64  # pictures that are written at once
_THREADS = 2  # that make scenes, while the teacher has threads of its own


def make(config: Config, teacher: Teacher | None, folder: Path, told: Told) -> None:
    """Makes the kept pictures of a run, or those of them that are missing in a folder, and then
    the same at half their size where the run learns from them.

    Each depends on the run's settings and its number alone, so that a run that was killed goes on
    to the same ones.

    Raises:
        As `training.samples.parts`. ValueError: what the folder has is of other settings.
    """
    skeleton = SKELETONS[config.skeleton]
    both = parts(config, skeleton)
    shelf = _shelf(config, both, folder)
    done = shelf.done()
    told(done, shelf.count)
    if done < shelf.count:
        _fill(shelf, _makers(config, teacher, both), told)
    if config.training.halved and not (folder / _HALF).exists():
        halve(shelf.opened(), len(skeleton.keypoints), folder / _HALF, told)


def made(config: Config, folder: Path) -> Kept:
    """What `make` left in a folder."""
    kept = _shelf(config, parts(config, SKELETONS[config.skeleton]), folder).opened()
    return replace(kept, half=halves(kept, folder / _HALF)) if config.training.halved else kept


def _shelf(config: Config, both: Parts, folder: Path) -> Shelf:
    learned, held_out = (sum(len(share.samples) for share in part) for part in both)
    return Shelf(folder, config, SKELETONS[config.skeleton], learned, held_out)


def _makers(config: Config, teacher: Teacher | None, both: Parts) -> list[_Maker]:
    """Of every share in its order. What is pasted is from all shares of the same part."""
    shares = [(share, part) for part in both for share in part]
    return [
        _Maker(
            config,
            teacher,
            share,
            [sample for other in part for sample in other.samples],
            len(shares) * config.seed + number,
        )
        for number, (share, part) in enumerate(shares)
    ]


def _fill(shelf: Shelf, makers: Sequence[_Maker], told: Told) -> None:
    kept, done = shelf.opened(write=True), shelf.done()
    for first, pictures, maps in _blocks(makers, done):
        done = first + len(pictures)
        for array, values in ((kept.pictures, pictures), (kept.maps, maps)):
            array[first:done] = values
            array.flush()  # type: ignore[attr-defined]
        shelf.note(done)
        told(done, shelf.count)


class _Maker:
    """Makes kept pictures of one share.

    Args:
        others: samples whose people are pasted.
        seed: of all chance.
    """

    def __init__(
        self,
        config: Config,
        teacher: Teacher | None,
        share: Share,
        others: Sequence[Sample],
        seed: int,
    ) -> None:
        skeleton = SKELETONS[config.skeleton]
        if teacher is not None and share.near:
            teacher = replace(teacher, scales=(1,))  # they are large in it as they are
        self.count, self._labels = len(share.samples), share.labels
        self._teacher, self._times = teacher, teacher.largest if teacher else 1
        rule = TargetRule()
        larger = TargetRule(rule.stride * self._times, rule.sigma * self._times, rule.band)
        augment = _augmentation(config, skeleton, others, self._times, near=share.near)
        self._scenes = SceneDataset(share.samples, augment, skeleton, larger, seed)

    def scene(self, index: int) -> Item:
        return self._scenes[index]

    def block(self, items: Sequence[Item]) -> tuple[Bytes, Bytes]:
        """The pictures and maps of scenes."""
        large = np.stack([item.pixels.numpy().transpose(1, 2, 0) for item in items])
        labelled = np.stack([np.concatenate([item.heatmaps, item.fields]) for item in items])
        counts = np.stack([item.mask.numpy() for item in items])
        if self._teacher is None:
            maps = encoded(labelled, counts > 0)
        else:
            # Two squared errors, of weights w and 1 - w, have the minimum and, but for a constant,
            # the value of one, from the mean of both targets with these weights.
            share = counts * self._labels
            maps = encoded(share * labelled + (1 - share) * self._teacher.maps(large))
        return reduced(large, self._times), maps.transpose(0, 2, 3, 1)


def _augmentation(
    config: Config, skeleton: Skeleton, others: Sequence[Sample], times: int, *, near: bool
) -> Augmentation:
    kept = config.kept
    if not kept.augment:
        return _as_it_is
    affine = Affine(
        size=(kept.size * times,) * 2,
        rotation=kept.rotation,
        turned=kept.turned,
        scale=kept.scale,
        fill=kept.fill,
        max_zoom=kept.max_zoom * times,
    )
    return standard(
        skeleton,
        others,
        affine,
        near=near,
        half_body=kept.half_body,
        mosaic=kept.mosaic,
        copy_paste=kept.copy_paste,
        flip=kept.flip,
        colour=kept.colour,
    )


def _as_it_is(scene: Scene, _: np.random.Generator) -> Scene:
    return scene


def _blocks(makers: Sequence[_Maker], done: int) -> Iterator[tuple[int, Bytes, Bytes]]:
    """Number of the first picture, pictures and maps; the next scenes are made meanwhile."""
    starts = accumulate((maker.count for maker in makers), initial=0)
    todo = [
        (maker, first, start + first)
        for maker, start in zip(makers, starts, strict=False)
        for first in range(0, maker.count, _BLOCK)
        if start + first >= done
    ]
    with ThreadPoolExecutor(_THREADS) as pool:

        def begun(maker: _Maker, first: int) -> Iterator[Item]:
            return pool.map(maker.scene, range(first, min(first + _BLOCK, maker.count)))

        waiting = [begun(maker, first) for maker, first, _ in todo[:1]]
        for at, (maker, _, number) in enumerate(todo):
            items = list(waiting.pop())
            waiting += [begun(after, begin) for after, begin, _ in todo[at + 1 : at + 2]]
            yield number, *maker.block(items)
