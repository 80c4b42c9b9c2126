"""People as native, COCO or OpenPose JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engines.model import Model
from engines.people import Floats
from service.errors import BadParameterError
from service.estimate import Estimate
from service.schemas import (
    Answer,
    CocoPose,
    Format,
    ImageSize,
    ModelInfo,
    OpenPosePerson,
    OpenPosePoses,
    Person,
    Poses,
)

_PIXEL_DECIMALS = 2
_SCORE_DECIMALS = 4


def as_format(estimate: Estimate, form: Format, image_id: int | str = 0) -> Answer:
    """The estimate in that form; `image_id` is what COCO's entries carry.

    Raises:
        BadParameterError: the model's keypoints cannot be put in that form.
    """
    if form == "coco":
        return coco(estimate, image_id)
    if form == "openpose":
        return openpose(estimate)
    return native(estimate)


def native(estimate: Estimate) -> Poses:
    people = estimate.people
    keypoints = _rounded(people.keypoints)
    boxes, scores = _plain(people.boxes, _PIXEL_DECIMALS), _plain(people.scores, _SCORE_DECIMALS)
    return Poses(
        model=estimate.entry.name,
        skeleton=estimate.entry.skeleton.name,
        image=ImageSize(width=estimate.width, height=estimate.height),
        people=[
            Person(score=score, box=box, keypoints=points)
            for score, box, points in zip(scores, boxes, keypoints.tolist(), strict=True)
        ],
        timings_ms=dict(estimate.timings_ms),
    )


def coco(estimate: Estimate, image_id: int | str) -> list[CocoPose]:
    """COCO's keypoint results: its 17 keypoints, 1 for one that was found."""
    skeleton = estimate.entry.skeleton
    if not skeleton.coco:
        raise BadParameterError(f"{skeleton.name} lacks COCO's keypoints: ask for format=native.")
    people = estimate.people
    keypoints = _rounded(people.keypoints[:, list(skeleton.coco)])
    keypoints[:, :, 2] = people.keypoints[:, list(skeleton.coco), 2] > 0
    return [
        CocoPose(image_id=image_id, keypoints=points, bbox=box, score=score)
        for points, box, score in zip(
            [person.ravel().tolist() for person in keypoints],
            _plain(people.boxes, _PIXEL_DECIMALS),
            _plain(people.scores, _SCORE_DECIMALS),
            strict=True,
        )
    ]


def openpose(estimate: Estimate) -> OpenPosePoses:
    """OpenPose's JSON 1.3, in the order of the model's own skeleton."""
    people = estimate.people
    return OpenPosePoses(
        people=[
            OpenPosePerson(pose_keypoints_2d=keypoints.ravel().tolist())
            for keypoints in _rounded(people.keypoints)
        ]
    )


def model_infos(models: Sequence[Model]) -> list[ModelInfo]:
    """What the wire says of models, the first of which is the default."""
    return [_model_info(model, default=model is models[0]) for model in models]


def _model_info(model: Model, *, default: bool) -> ModelInfo:
    entry, engine = model.entry, next(iter(model.engines.values()))
    devices = [next(iter(one.values())).device for one in (model.engines, *model.replicas)]
    return ModelInfo(
        name=entry.name,
        title=entry.title,
        default=default,
        skeleton=entry.skeleton.name,
        keypoints=list(entry.skeleton.keypoints),
        limbs=list(entry.skeleton.limbs),
        top_down=model.is_top_down,
        input_height=entry.input.height,
        input_width=entry.input.width,
        engine=engine.name,
        precision=engine.precision,
        devices=devices,
        why=model.why,
        licence=entry.licence,
        source=entry.source,
        accuracy=entry.accuracy,
    )


def _plain(array: Floats, decimals: int) -> list[Any]:
    """In float64, so that what is written has just those decimals."""
    plain: list[Any] = array.astype(np.float64).round(decimals).tolist()
    return plain


def _rounded(keypoints: Floats) -> npt.NDArray[np.float64]:
    """The same for x, y, score in the last axis."""
    return np.concatenate(
        [
            keypoints[..., :2].astype(np.float64).round(_PIXEL_DECIMALS),
            keypoints[..., 2:].astype(np.float64).round(_SCORE_DECIMALS),
        ],
        axis=-1,
    )
