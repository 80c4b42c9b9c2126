"""The types of the REST wire."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Format = Literal["native", "coco", "openpose"]
Keypoint = Annotated[
    tuple[float, float, float], Field(description="x, y in pixels of the image, and score.")
]


class PeopleOptions(BaseModel):
    """Which people of an image are asked for."""

    model_config = ConfigDict(extra="forbid")

    min_score: float = Field(default=0.0, ge=0, le=1, description="Leave out people below it.")
    max_people: int | None = Field(default=None, ge=1, description="Keep the best ones.")
    boxes: str | None = Field(
        default=None,
        description="Where people are, for a model that needs boxes: x,y,width,height of each in "
        "pixels of the image, with semicolons between people.",
        examples=["70,97,254,412;300,80,120,400"],
    )
    detector: str = Field(
        default="",
        description="The model that finds people for one that needs boxes, or whole-image.",
    )


class PeopleQuery(PeopleOptions):
    """And by which model."""

    model: str = Field(default="", description="A model of /v1/models; the default if empty.")


class PoseQuery(PeopleQuery):
    """And in which form."""

    format: Format = Field(default="native", description="Shape of the answer.")


class ImageSize(BaseModel):
    """Pixels of the image as displayed, EXIF orientation applied."""

    width: int
    height: int


class Person(BaseModel):
    """One person."""

    score: float
    box: tuple[float, float, float, float] = Field(description="x, y, width, height.")
    keypoints: list[Keypoint] = Field(
        description="In the order of the model's skeleton; a missing one is 0, 0, 0."
    )


class Poses(BaseModel):
    """The people of one image, best first."""

    model: str
    skeleton: str
    image: ImageSize
    people: list[Person]
    timings_ms: dict[str, float]


class CocoPose(BaseModel):
    """One entry of a COCO keypoint result file."""

    image_id: int | str
    category_id: Literal[1] = 1
    keypoints: list[float] = Field(description="17 times x, y, and 1, or 0 where missing.")
    bbox: tuple[float, float, float, float]
    score: float


class OpenPosePerson(BaseModel):
    """A person as OpenPose's JSON 1.3 writes it."""

    person_id: list[int] = [-1]
    pose_keypoints_2d: list[float]
    face_keypoints_2d: list[float] = []
    hand_left_keypoints_2d: list[float] = []
    hand_right_keypoints_2d: list[float] = []
    pose_keypoints_3d: list[float] = []
    face_keypoints_3d: list[float] = []
    hand_left_keypoints_3d: list[float] = []
    hand_right_keypoints_3d: list[float] = []


class OpenPosePoses(BaseModel):
    """OpenPose's JSON 1.3."""

    version: float = 1.3
    people: list[OpenPosePerson]


class ErrorDetail(BaseModel):
    """What went wrong and what to do."""

    code: str
    message: str


class ErrorAnswer(BaseModel):
    """Every error has this form."""

    error: ErrorDetail


class ModelInfo(BaseModel):
    """A model that is served."""

    name: str
    title: str
    default: bool
    skeleton: str
    keypoints: list[str]
    limbs: list[tuple[int, int]]
    top_down: bool = Field(description="Whether it needs boxes: given, or of a detector.")
    input_height: int
    input_width: int | None = Field(description="null where it follows from the picture.")
    engine: str
    precision: str
    devices: list[str] = Field(description="What the engine runs on: cpu, or cuda:0 and so on.")
    why: str = Field(description="Why this engine.")
    licence: str
    source: str
    accuracy: str


class ModelList(BaseModel):
    """Every model that is served, the default first."""

    models: list[ModelInfo]


Answer = Poses | list[CocoPose] | OpenPosePoses
