"""What a training run is, as a TOML file says it."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from engines.networks.lightweight_openpose import MOBILENET, YOLOX
from engines.skeletons import SKELETONS

STRIDE = 8


def _beside(path: Path, info: ValidationInfo) -> Path:
    """Relative paths are of the file that names them."""
    return Path(info.context, path).resolve() if info.context else path


def _dividing(scales: tuple[int, ...]) -> tuple[int, ...]:
    if any(max(scales) % scale for scale in scales):
        raise ValueError("each has to divide the largest")
    return scales


_Path = Annotated[Path, AfterValidator(_beside)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Above = Annotated[float, Field(gt=0)]
_Count = Annotated[int, Field(gt=0)]
_Side = Annotated[int, Field(gt=0, multiple_of=STRIDE)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Pictures of one data set.

    Attributes:
        images: folder of the pictures.
        annotations: COCO's person keypoints, JSON; None where only a teacher teaches.
        share: of the kept pictures, relative to the shares of the other sources.
        everyone: whether all people in the pictures are annotated.
        labels: how much labels say beside the teacher, where they count: 0 nothing, 1 all.
        portraits: share of its kept pictures in which somebody is seen from near, upright, and by
            the teacher in the picture's own size alone; see `training.data.augment.portrait`.
    """

    images: _Path
    annotations: _Path | None = None
    share: _Above = 1.0
    everyone: bool = True
    labels: _Share = 0.5
    portraits: _Share = 0.0


class Teacher(_Part):
    """A model of the catalogue, and how it looks; see `training.teacher`."""

    model: str = "lightweight-openpose-int8"
    scales: Annotated[tuple[_Count, ...], Field(min_length=1), AfterValidator(_dividing)] = (1, 2)
    flip: bool = False


class Student(_Part):
    """What is chosen of `engines.networks.lightweight_openpose`.

    Attributes:
        backbone: what sees the picture; YOLOX-Nano begins with the catalogue's weights, see
            `training.pretrained`.
        weights: a checkpoint of such a network, whose averaged weights are begun with, or an ONNX
            graph that `training.export` wrote; by default they are made up.
    """

    width: _Above = 0.5
    blocks: _Count = 3
    refinement_stages: Annotated[int, Field(ge=1, le=3)] = 1
    backbone: Annotated[str, Field(pattern=f"^({MOBILENET}|{YOLOX})$")] = MOBILENET
    weights: _Path | None = None


class Kept(_Part):
    """Augmented pictures that are made once, and how; see `training.data.augment`.

    Attributes:
        pictures: how many.
        size: their sides, larger than what is cropped of them.
        held_out: share of the sources' pictures that are for the validation loss alone.
        augment: False keeps every picture as it is, of which all must have that size.
    """

    pictures: _Count = 40_000
    size: _Side = 208
    held_out: _Share = 0.05
    augment: bool = True
    rotation: Annotated[float, Field(ge=0, le=180)] = 45.0
    turned: _Share = 0.6
    scale: tuple[_Above, _Above] = (0.65, 1.35)
    fill: _Above = 0.6
    max_zoom: _Above = 4.0
    half_body: _Share = 0.15
    mosaic: _Share = 0.25
    copy_paste: _Share = 0.25
    flip: _Share = 0.5
    colour: _Share = 0.8


class Loss(_Part):
    """See `training.loss`."""

    foreground: Annotated[float, Field(ge=0)] = 3.0
    fields: _Above = 1.0


class Training(_Part):
    """How the student learns.

    Attributes:
        steps: updates of the weights; the learning rate falls to 0 over all of them.
        batch: pictures a step, on all devices together.
        crop: side of what is cropped of a kept picture, by whole cells.
        learning_rate: the highest; warm_up: steps until it.
        published: of the learning rate, the share of a backbone that begins with published weights.
        average: decay a step of the averaged weights, which are what is evaluated and exported.
        clip: largest norm of the gradient.
        brightness, contrast: of each channel, at most, to either side.
        erase: probability that a piece of a picture is made grey.
        empty: how often a picture comes in which no keypoint is asked for, beside one that is full
            of them; 1 for all alike.
        halved: share of the batches whose pictures are seen at half their size, which takes a
            quarter of the time.
        close: share of the batches of which a quarter of each picture is seen, so that people are
            large and reach beyond it.
        patch: probability that a piece of a picture is of another one, with its maps.
        frozen: share of the steps, the last ones, in which normalisations keep their statistics
            rather than take every batch's.
        precision: float32, bfloat16, float16, or what the device is fast in.
        save_every, validate_every, log_every: steps between checkpoints, validation losses, and
            lines of the log.
    """

    steps: _Count = 20_000
    batch: _Count = 32
    crop: _Side = 192
    learning_rate: _Above = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    warm_up: Annotated[int, Field(ge=0)] = 500
    published: _Above = 0.1
    average: Annotated[float, Field(ge=0, lt=1)] = 0.999
    clip: _Above = 1.0
    flip: _Share = 0.5
    brightness: Annotated[float, Field(ge=0)] = 0.15
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.2
    erase: _Share = 0.25
    empty: Annotated[float, Field(gt=0, le=1)] = 1.0
    halved: _Share = 0.0
    close: _Share = 0.0
    patch: _Share = 0.0
    frozen: _Share = 0.0
    precision: Annotated[str, Field(pattern="^(auto|float32|bfloat16|float16)$")] = "auto"
    save_every: _Count = 500
    validate_every: _Count = 1000
    log_every: _Count = 50


class Inference(_Part):
    """How a student looks at a picture once it has learned; what is evaluated and exported.

    Attributes:
        scales: sizes beside the picture's own, of which it takes the mean; see
            `engines.networks.multi_scale`.
    """

    scales: Annotated[tuple[_Above, ...], Field(min_length=1)] = (1.0,)


class Evaluation(_Part):
    """Where accuracy is measured once, of the last checkpoint."""

    annotations: _Path
    images: _Path
    height: _Side = 256


class Config(_Part):
    """A run: everything that its numbers depend on, but the machine's arithmetic."""

    seed: int = 1
    skeleton: str = "openpose-18"
    data: Annotated[tuple[Source, ...], Field(min_length=1)]
    teacher: Teacher | None = None
    kept: Kept = Kept()
    student: Student = Student()
    loss: Loss = Loss()
    training: Training = Training()
    inference: Inference = Inference()
    evaluation: Evaluation | None = None

    def digest(self, parts: Sequence[str]) -> str:
        """Of those parts: what was made with other ones does not fit."""
        said = self.model_dump_json(include=set(parts))
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def read(path: Path) -> Config:
    """The run that a file describes.

    Raises:
        OSError: the file is missing. ValueError: it is not TOML, or not a run; names every wrong
            setting.
    """
    try:
        said: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        config = Config.model_validate(said, context=str(path.resolve().parent))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} is not TOML: {error}") from error
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}, not {problem['input']!r}"
            for problem in error.errors()
        )
        raise ValueError(f"{path}: {'; '.join(problems)}") from error
    _check(config, path)
    return config


def _check(config: Config, path: Path) -> None:
    """That the parts of a run fit each other."""
    if config.training.crop > config.kept.size:
        raise ValueError(
            f"{path}: training.crop {config.training.crop} is larger than kept.size "
            f"{config.kept.size}: choose a smaller crop or larger kept pictures"
        )
    chosen = config.training
    if chosen.halved + chosen.close > 1:
        raise ValueError(f"{path}: training.halved and training.close are more than all batches")
    sides = {
        "training.crop": chosen.crop if chosen.halved or chosen.close else 0,
        "kept.size": config.kept.size if chosen.halved else 0,
    }
    for name, side in sides.items():
        if side % (2 * STRIDE):
            raise ValueError(
                f"{path}: half of {name} {side} has no whole cells: choose a multiple of "
                f"{2 * STRIDE}"
            )
    skeleton = SKELETONS.get(config.skeleton)
    if skeleton is None or not skeleton.fields:
        raise ValueError(f"{path}: skeleton {config.skeleton} has no part affinity fields")
    if config.teacher is None and any(source.annotations is None for source in config.data):
        raise ValueError(f"{path}: without a teacher every source needs annotations")
