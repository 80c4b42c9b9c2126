"""The systems of the catalogue: which class runs each, and what it makes of an entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from engines.catalog import Entry
from engines.geometry import Letterbox, Pixels
from engines.grouping import dekr as dekr_grouping
from engines.models.dekr import Dekr
from engines.models.lightweight_openpose import LightweightOpenPose
from engines.models.multiposenet import MultiPoseNet
from engines.models.openpose import OpenPose
from engines.models.top_down import TopDown, TopDownRule
from engines.models.yolox import YoloX
from engines.options import Options
from engines.sizes import Made
from engines.skeletons import CROWDPOSE_14
from engines.steps import Steps

TOP_DOWN = "top-down"  # the system whose models need boxes
RESCORING = "rescoring.npz"  # DEKR's optional rescoring network, among what the user brought


class BottomUp(Protocol):
    """A system that finds people by itself."""

    def steps(self, image: Pixels) -> Steps: ...


class Measured(BottomUp, Protocol):
    """One that knows the sizes of the inputs that it makes of pictures."""

    @property
    def sizes(self) -> Made: ...


@runtime_checkable
class Detector(Protocol):
    """A system that can stop at the boxes of people, which hold whole bodies."""

    def detect(self, image: Pixels) -> Steps: ...


@dataclass(frozen=True, slots=True)
class System:
    """How entries of a system become what runs them.

    Attributes:
        make: from an entry, the folder of what the user brought (None to leave that out), and
            options.
        takes: names of the options it heeds.
    """

    make: Callable[[Entry, Path | None, Options], Measured | TopDown]
    takes: frozenset[str] = frozenset()


def _lightweight_openpose(entry: Entry, _: Path | None, options: Options) -> LightweightOpenPose:
    height = options.height or entry.input.height
    return LightweightOpenPose(entry.skeleton, Letterbox(height), entry.name)


def _openpose(entry: Entry, _: Path | None, options: Options) -> OpenPose:
    return OpenPose(entry.skeleton, options.height or entry.input.height, entry.name)


def _dekr(entry: Entry, brought: Path | None, options: Options) -> Dekr:
    crowd = entry.skeleton is CROWDPOSE_14
    return Dekr(
        entry.skeleton,
        options.height or entry.input.height,
        entry.name,
        dekr_grouping.CROWDPOSE if crowd else dekr_grouping.COCO,
        flip=options.flip,
        scales=options.scales,
        rescoring=_arrays(brought / RESCORING) if brought else None,
    )


def _multiposenet(entry: Entry, _: Path | None, options: Options) -> MultiPoseNet:
    height = options.height or entry.input.height
    return MultiPoseNet(entry.skeleton, height, entry.name, entry.networks["prn"].name)


def _top_down(entry: Entry, _: Path | None, options: Options) -> TopDown:
    width = entry.input.width or entry.input.height
    rule = TopDownRule(flip=options.flip, dark=options.dark)
    return TopDown(entry.skeleton, width, entry.input.height, entry.name, rule)


def _yolox(entry: Entry, _: Path | None, __: Options) -> YoloX:
    return YoloX(entry.name, entry.input.height)


def _arrays(path: Path) -> Mapping[str, np.ndarray] | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


SYSTEMS: Mapping[str, System] = {
    "lightweight-openpose": System(_lightweight_openpose, frozenset({"height"})),
    "openpose": System(_openpose, frozenset({"height"})),
    "dekr": System(_dekr, frozenset({"height", "flip", "scales"})),
    "multiposenet": System(_multiposenet, frozenset({"height"})),
    TOP_DOWN: System(_top_down, frozenset({"flip", "dark"})),
    "yolox": System(_yolox),
}
