from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EstimateRequest(_message.Message):
    __slots__ = ("image", "model", "min_score", "max_people", "boxes", "detector")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    MIN_SCORE_FIELD_NUMBER: _ClassVar[int]
    MAX_PEOPLE_FIELD_NUMBER: _ClassVar[int]
    BOXES_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    model: str
    min_score: float
    max_people: int
    boxes: _containers.RepeatedCompositeFieldContainer[Box]
    detector: str
    def __init__(self, image: _Optional[bytes] = ..., model: _Optional[str] = ..., min_score: _Optional[float] = ..., max_people: _Optional[int] = ..., boxes: _Optional[_Iterable[_Union[Box, _Mapping]]] = ..., detector: _Optional[str] = ...) -> None: ...

class EstimateResponse(_message.Message):
    __slots__ = ("model", "skeleton", "width", "height", "people", "timings_ms")
    class TimingsMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    SKELETON_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    PEOPLE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    model: str
    skeleton: str
    width: int
    height: int
    people: _containers.RepeatedCompositeFieldContainer[Person]
    timings_ms: _containers.ScalarMap[str, float]
    def __init__(self, model: _Optional[str] = ..., skeleton: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., people: _Optional[_Iterable[_Union[Person, _Mapping]]] = ..., timings_ms: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Person(_message.Message):
    __slots__ = ("score", "box", "keypoints")
    SCORE_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    score: float
    box: Box
    keypoints: _containers.RepeatedCompositeFieldContainer[Keypoint]
    def __init__(self, score: _Optional[float] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., keypoints: _Optional[_Iterable[_Union[Keypoint, _Mapping]]] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("x", "y", "width", "height")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    width: float
    height: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., width: _Optional[float] = ..., height: _Optional[float] = ...) -> None: ...

class Keypoint(_message.Message):
    __slots__ = ("x", "y", "score")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    score: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ..., score: _Optional[float] = ...) -> None: ...

class EstimateStreamRequest(_message.Message):
    __slots__ = ("frame_id", "request", "options")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    request: EstimateRequest
    options: StreamOptions
    def __init__(self, frame_id: _Optional[str] = ..., request: _Optional[_Union[EstimateRequest, _Mapping]] = ..., options: _Optional[_Union[StreamOptions, _Mapping]] = ...) -> None: ...

class StreamOptions(_message.Message):
    __slots__ = ("newest_wins", "window")
    NEWEST_WINS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    newest_wins: bool
    window: int
    def __init__(self, newest_wins: _Optional[bool] = ..., window: _Optional[int] = ...) -> None: ...

class EstimateStreamResponse(_message.Message):
    __slots__ = ("frame_id", "result", "error", "dropped")
    FRAME_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    frame_id: str
    result: EstimateResponse
    error: Error
    dropped: int
    def __init__(self, frame_id: _Optional[str] = ..., result: _Optional[_Union[EstimateResponse, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., dropped: _Optional[int] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "title", "default", "skeleton", "keypoints", "limbs", "input_height", "licence", "source", "accuracy", "input_width", "top_down", "engine", "precision", "devices", "why")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_FIELD_NUMBER: _ClassVar[int]
    SKELETON_FIELD_NUMBER: _ClassVar[int]
    KEYPOINTS_FIELD_NUMBER: _ClassVar[int]
    LIMBS_FIELD_NUMBER: _ClassVar[int]
    INPUT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ACCURACY_FIELD_NUMBER: _ClassVar[int]
    INPUT_WIDTH_FIELD_NUMBER: _ClassVar[int]
    TOP_DOWN_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    DEVICES_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    default: bool
    skeleton: str
    keypoints: _containers.RepeatedScalarFieldContainer[str]
    limbs: _containers.RepeatedCompositeFieldContainer[Limb]
    input_height: int
    licence: str
    source: str
    accuracy: str
    input_width: int
    top_down: bool
    engine: str
    precision: str
    devices: _containers.RepeatedScalarFieldContainer[str]
    why: str
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., default: _Optional[bool] = ..., skeleton: _Optional[str] = ..., keypoints: _Optional[_Iterable[str]] = ..., limbs: _Optional[_Iterable[_Union[Limb, _Mapping]]] = ..., input_height: _Optional[int] = ..., licence: _Optional[str] = ..., source: _Optional[str] = ..., accuracy: _Optional[str] = ..., input_width: _Optional[int] = ..., top_down: _Optional[bool] = ..., engine: _Optional[str] = ..., precision: _Optional[str] = ..., devices: _Optional[_Iterable[str]] = ..., why: _Optional[str] = ...) -> None: ...

class Limb(_message.Message):
    __slots__ = ("first", "second")
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    first: int
    second: int
    def __init__(self, first: _Optional[int] = ..., second: _Optional[int] = ...) -> None: ...
