"""Data sets with people's keypoints in COCO's format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from faster_coco_eval.core import mask
from pydantic import BaseModel, Field, ValidationError

from engines.geometry import Floats
from engines.skeletons import COCO_17, Skeleton
from training.data.sample import Sample

_VALUES = 3 * len(COCO_17.keypoints)  # x, y and visibility of each

# Keypoints that COCO has not, and between which of its own they lie.
_MIDDLES = {"neck": ("left_shoulder", "right_shoulder"), "mid_hip": ("left_hip", "right_hip")}


class _Picture(BaseModel):
    id: int | str
    file_name: str
    width: int
    height: int


class _Person(BaseModel):
    image_id: int | str
    keypoints: Annotated[list[float], Field(min_length=_VALUES, max_length=_VALUES)]
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: bool = False
    segmentation: dict[str, Any] | list[list[float]] = []

    @property
    def teaches(self) -> bool:
        """Whether this is one person, and some of their keypoints are labelled."""
        return not self.iscrowd and any(self.keypoints[2::3])


class _File(BaseModel):
    images: Annotated[list[_Picture], Field(min_length=1)]
    annotations: list[_Person]


def read(
    annotations: Path,
    images: Path,
    skeleton: Skeleton,
    *,
    everyone: bool = True,
    annotated: Collection[str] | None = None,
) -> list[Sample]:
    """The pictures of a file of person keypoints, as https://cocodataset.org/#format-data says.

    Crowds and people without keypoints are masked, by their outline or, without one, their box.

    Args:
        annotations: the JSON file.
        images: folder of the pictures it names.
        skeleton: order of the keypoints of the samples. A neck is the mean of the shoulders, the
            middle of the hips theirs; they are labelled where both are.
        everyone: whether all people in the pictures are annotated.
        annotated: names of the keypoints that the data set annotates; None for those that
            anybody in the file has.

    Raises:
        OSError: the file is missing. ValueError: it is not COCO's, has nobody in it, or the
            skeleton has not COCO's keypoints; says which.
    """
    if not skeleton.coco:
        raise ValueError(f"{skeleton.name} lacks COCO's keypoints: choose a skeleton with them")
    file = _parse(annotations)
    people: dict[int | str, list[_Person]] = defaultdict(list)
    for person in file.annotations:
        people[person.image_id].append(person)
    whole = _in_order([person.keypoints for person in file.annotations], skeleton)
    known = _bits(annotated, whole, skeleton)
    if not known:
        raise ValueError(f"{annotations} has no keypoint that is labelled: nothing can be learned")
    make = _Maker(images, skeleton, known, everyone)
    return [make.sample(picture, people[picture.id]) for picture in file.images]


def _parse(annotations: Path) -> _File:
    try:
        return _File.model_validate_json(annotations.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ValueError(
            f"{annotations} is not a COCO person keypoints file, at {where}: {first['msg']}"
        ) from error


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes samples: where pictures are, the order of keypoints, and what is annotated."""

    images: Path
    skeleton: Skeleton
    annotated: int
    everyone: bool

    def sample(self, picture: _Picture, people: Sequence[_Person]) -> Sample:
        single = [person for person in people if person.teaches]
        return Sample(
            self.images / picture.file_name,
            _in_order([person.keypoints for person in single], self.skeleton),
            np.array([person.bbox for person in single], np.float32).reshape(-1, 4),
            np.array([person.area for person in single], np.float32),
            self.annotated,
            self.everyone,
            _outline([person for person in people if not person.teaches], picture),
            (picture.width, picture.height),
        )


def _in_order(values: Sequence[Sequence[float]], skeleton: Skeleton) -> Floats:
    """(P, K, 3) in the skeleton's order, of COCO's 51 values a person."""
    coco = np.array(values, np.float32).reshape(-1, len(COCO_17.keypoints), 3)
    people = np.zeros((len(coco), len(skeleton.keypoints), 3), np.float32)
    people[:, list(skeleton.coco)] = coco
    for part, (first, second) in _middles(skeleton):
        ends = people[:, [first, second]]
        people[:, part, :2] = ends[:, :, :2].mean(axis=1)
        people[:, part, 2] = ends[:, :, 2].min(axis=1)
    people[people[:, :, 2] == 0] = 0
    return people


def _middles(skeleton: Skeleton) -> list[tuple[int, tuple[int, int]]]:
    index = {name: part for part, name in enumerate(skeleton.keypoints)}
    return [
        (index[name], (index[first], index[second]))
        for name, (first, second) in _MIDDLES.items()
        if name in index
    ]


def _bits(names: Collection[str] | None, people: Floats, skeleton: Skeleton) -> int:
    """Bit k is set if the data set annotates keypoint k."""
    if names is None:
        return sum(1 << int(part) for part in np.flatnonzero(people[:, :, 2].any(axis=0)))
    if unknown := set(names) - set(skeleton.keypoints):
        raise ValueError(
            f"{skeleton.name} has no {', '.join(sorted(unknown))}; its keypoints are "
            f"{', '.join(skeleton.keypoints)}"
        )
    return sum(1 << part for part, name in enumerate(skeleton.keypoints) if name in names)


def _outline(people: Sequence[_Person], picture: _Picture) -> dict[str, Any] | None:
    """All of these people as one run-length encoded mask."""
    height, width = picture.height, picture.width
    masks: list[dict[str, Any]] = []
    for person in people:
        x, y, w, h = person.bbox
        outline = person.segmentation or [[x, y, x + w, y, x + w, y + h, x, y + h]]
        encoded = mask.frPyObjects(outline, height, width)
        masks += encoded if isinstance(encoded, list) else [encoded]
    return mask.merge(masks) if masks else None
