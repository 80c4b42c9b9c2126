"""What OpenAPI says of the protocol's bodies and errors, where the handlers' signatures cannot."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.constants import REF_TEMPLATE

from service.http.openapi import BINARY, TIMEOUT, Responses
from service.http.openapi import ERRORS as _ERRORS
from service.kserve.schemas import InferenceRequest, Refusal
from service.kserve.wire import JSON_LENGTH

ERRORS: Responses = {status: told | {"model": Refusal} for status, told in _ERRORS.items()}
_LENGTH = {
    "description": "Bytes of the JSON at the start of the body, where more follow.",
    "schema": {"type": "integer", "minimum": 0},
}
INFERENCE: dict[str, Any] = {
    "parameters": [TIMEOUT, {"name": JSON_LENGTH, "in": "header", **_LENGTH}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": REF_TEMPLATE.format(model=InferenceRequest.__name__)}
            },
            "application/octet-stream": BINARY,
        },
    },
}
ANSWER: dict[str, Any] = {
    "headers": {JSON_LENGTH: _LENGTH},
    "content": {"application/octet-stream": BINARY},
}
