"""What OpenAPI says of bodies and errors, where the handlers' signatures cannot."""

from __future__ import annotations

from typing import Any

from service.schemas import ErrorAnswer

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {
    "type": "object",
    "required": ["image"],
    "properties": {"image": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys(_IMAGE_TYPES, BINARY),
            "multipart/form-data": {"schema": _FILES},
        },
    }
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        400: "Not an image",
        404: "Unknown model",
        413: "Too large",
        415: "Type not accepted",
        422: "Bad parameter",
        429: "Too many images at once; Retry-After says when to come back",
        503: "Starting or draining",
        504: "The deadline passed",
    }.items()
}
