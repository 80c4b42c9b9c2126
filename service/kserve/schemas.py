"""The protocol's JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.errors import BadParameterError
from service.schemas import PeopleOptions

T = TypeVar("T")
Base64 = Annotated[str, Field(json_schema_extra={"format": "byte"})]

KSERVE = "/v2"
"""Under which the protocol's paths lie."""
_MOST_PROBLEMS = 5  # told of one request


class Parameters(PeopleOptions):
    """Of a request."""

    timeout: int = Field(default=0, ge=0, description="Microseconds to wait at most; 0 for none.")
    binary_data_output: bool = Field(
        default=False, description="Whether outputs come as bytes after the JSON."
    )


class InputParameters(BaseModel):
    """Of an input."""

    model_config = ConfigDict(extra="forbid")

    content_type: str | None = Field(
        default=None, description="Of `data`. It is base64 whatever is said here."
    )
    binary_data_size: int | None = Field(
        default=None, ge=0, description="Bytes after the JSON, in place of `data`."
    )


class Input(BaseModel):
    """Encoded pictures: N of them, the shape being [N]."""

    name: Literal["image"]
    datatype: Literal["BYTES"]
    shape: list[Annotated[int, Field(ge=1)]] = Field(min_length=1, max_length=1)
    parameters: InputParameters = InputParameters()
    data: list[Base64] | None = Field(default=None, description="Each picture in base64.")


class OutputParameters(BaseModel):
    """Of an output that is asked for."""

    model_config = ConfigDict(extra="forbid")

    binary_data: bool | None = Field(
        default=None, description="Whether it comes as bytes after the JSON."
    )


class RequestedOutput(BaseModel):
    """An output that is asked for."""

    name: Literal["people", "keypoints", "scores", "boxes"]
    parameters: OutputParameters = OutputParameters()


class InferenceRequest(BaseModel):
    """Pictures, options and the outputs asked for: all of them if none is named."""

    id: str | None = Field(default=None, description="Comes back with the answer.")
    parameters: Parameters = Parameters()
    inputs: list[Input] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] = []


class DataSize(BaseModel):
    """Of an output whose data come as bytes."""

    binary_data_size: int


class Output(BaseModel):
    """People of the pictures, row by row, in `data` or as bytes after the JSON."""

    name: str
    datatype: Literal["BYTES", "FP32"]
    shape: list[int]
    parameters: DataSize | None = None
    data: list[str] | list[float] | None = None


class InferenceResponse(BaseModel):
    """People as tensors."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[Output]


class TensorMetadata(BaseModel):
    """A tensor of a model; -1 is a length that varies."""

    name: str
    datatype: Literal["BYTES", "FP32"]
    shape: list[int]


class ModelMetadata(BaseModel):
    """A model that is served, by its tensors."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """What serves."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """The process runs."""

    live: Literal[True] = True


class Ready(BaseModel):
    """Models can be asked."""

    ready: Literal[True] = True


class ModelReady(Ready):
    """The model can be asked."""

    name: str


class Refusal(BaseModel):
    """Every error has this form here."""

    error: str = Field(description="What went wrong and what to do.")


def checked(parse: Callable[[], T]) -> T:
    """What `parse` makes of a request; BadParameterError where it says what is wrong."""
    try:
        return parse()
    except ValidationError as error:
        problems = (
            f"{'.'.join(map(str, problem['loc'])) or 'the body'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)[:_MOST_PROBLEMS]
        )
        raise BadParameterError(
            f"Not an inference request: {'; '.join(problems)}. See /docs for its form."
        ) from None
