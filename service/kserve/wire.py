"""The protocol's HTTP bodies: JSON, or JSON with bytes after it, as Triton extends it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from typing import Any

import pydantic_core
from starlette.responses import Response

from service.errors import BadParameterError
from service.kserve.inference import Asked
from service.kserve.models import VERSION
from service.kserve.schemas import InferenceRequest, Input, checked
from service.kserve.tensors import IMAGE, Tensor, check_image, unpack

JSON_LENGTH = "Inference-Header-Content-Length"
_MOST_COMMAS = 10_000  # a parser makes values of all between them; base64 has none


def read(body: bytes, json_length: str | None, most: int) -> tuple[InferenceRequest, Asked]:
    """A request whose first bytes are JSON; all of them unless `json_length` says how many.

    Args:
        most: images in one request.

    Raises:
        BadParameterError: it is not such a request.
    """
    head, tail = _split(body, json_length)
    if head.count(b",") > _MOST_COMMAS:
        raise BadParameterError(
            f"The JSON has more than {_MOST_COMMAS} values: send pictures as base64, or as bytes."
        )
    request = checked(lambda: InferenceRequest.model_validate_json(head))
    images = _images(request.inputs[0], tail, most)
    return request, Asked(images, request.parameters, [output.name for output in request.outputs])


def write(model: str, request: InferenceRequest, tensors: Sequence[Tensor]) -> Response:
    """The outputs, each in the form that was asked for."""
    default = request.parameters.binary_data_output
    chosen: dict[str, bool | None] = {
        output.name: output.parameters.binary_data for output in request.outputs
    }
    outputs, blobs = [], []
    for tensor in tensors:
        output: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype}
        output["shape"] = tensor.shape
        as_bytes = chosen.get(tensor.name)
        if default if as_bytes is None else as_bytes:
            blobs.append(tensor.raw())
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = tensor.plain()
        outputs.append(output)
    answer = {"model_name": model, "model_version": VERSION, "outputs": outputs}
    if request.id is not None:
        answer["id"] = request.id
    head = pydantic_core.to_json(answer)
    if not blobs:
        return Response(head, media_type="application/json")
    return Response(
        b"".join((head, *blobs)),
        media_type="application/octet-stream",
        headers={JSON_LENGTH: str(len(head))},
    )


def _split(body: bytes, json_length: str | None) -> tuple[bytes, memoryview]:
    if json_length is None:
        return body, memoryview(b"")
    length = int(json_length) if json_length.isdecimal() and len(json_length) < 20 else -1
    if not 0 <= length <= len(body):
        raise BadParameterError(
            f"{JSON_LENGTH} {json_length[:20]!r} is not the length of the JSON at the start of the "
            f"body, which has {len(body)} bytes."
        )
    return body[:length], memoryview(body)[length:]


def _images(image: Input, tail: memoryview, most: int) -> list[bytes]:
    images = check_image(image.name, image.datatype, image.shape, most)
    size = image.parameters.binary_data_size
    if (image.data is None) == (size is None) or len(tail) != (size or 0):
        raise BadParameterError(
            f"`{IMAGE}` has either `data`, or bytes after the JSON and their number as "
            f"binary_data_size: {len(tail)} bytes came."
        )
    if image.data is None:
        return unpack(tail, images)
    if len(image.data) != images:
        raise BadParameterError(
            f"`{IMAGE}` has {len(image.data)} pictures, and its shape says {images}."
        )
    return [_decoded(text) for text in image.data]


def _decoded(text: str) -> bytes:
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise BadParameterError(
            f"A picture in `data` is not base64 ({error}): encode the bytes of its file."
        ) from None
