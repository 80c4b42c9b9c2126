"""What OpenAPI says of bodies and errors, where the handlers' signatures cannot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.constants import REF_TEMPLATE
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from service.schemas import ErrorAnswer

Responses = dict[int | str, dict[str, Any]]

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "image": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
        }
    },
}
TIMEOUT = {
    "name": "X-Request-Timeout",
    "in": "header",
    "description": "Longest time to wait: seconds, or milliseconds as in 250ms.",
    "schema": {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s)?$", "example": "1.5"},
}
BODY: dict[str, Any] = {
    "parameters": [TIMEOUT],
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys(_IMAGE_TYPES, BINARY),
            "multipart/form-data": {"schema": _FILES},
        },
    },
}
_TEXTS = {
    400: "Not an image",
    401: "No API key, or an unknown one, where the service wants one",
    404: "Unknown model",
    413: "Too large",
    415: "Type not accepted, or a body that is compressed once more",
    422: "Bad parameter",
    429: "Too many images at once, or requests with one key",
    500: "A fault of the service",
    503: "Starting, draining, or an engine does not run",
    504: "The deadline passed",
}
ERRORS: Responses = {
    status: {"model": ErrorAnswer, "description": text} for status, text in _TEXTS.items()
}
STATUS: dict[str, dict[str, Any]] = {
    "/healthz": {},
    "/readyz": {"responses": {503: {"model": dict[str, str], "description": "Not ready, and why"}}},
    "/metrics": {"response_class": PlainTextResponse},
}
"""Of the paths for operators."""
_OPEN = ("/healthz", "/readyz", "/v2/health/")
_EVERYWHERE = (401, 415, 429, 500)  # refused or failed before a handler has a say
_HEADERS = {
    401: {"WWW-Authenticate": "How to authenticate."},
    429: {"Retry-After": "Seconds after which to come back."},
    503: {"Retry-After": "Seconds after which to come back."},
}


def refusals(*statuses: int) -> Responses:
    """These errors."""
    return {status: ERRORS[status] for status in statuses}


def install(app: FastAPI, *bodies: type[BaseModel]) -> None:
    """Makes the document of `app` complete: with `bodies`, which handlers read themselves, and with
    what no handler answers.
    """
    made = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = made()
            schemas = told["components"]["schemas"]
            for body in bodies:
                schema = body.model_json_schema(ref_template=REF_TEMPLATE)
                schemas |= schema.pop("$defs", {}) | {body.__name__: schema}
            for path, operation in _operations(told):
                _complete(operation["responses"], path)
            _plain_tuples(told)
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
        return app.openapi_schema or {}

    app.openapi = document  # type: ignore[method-assign] # FastAPI's own way


def _operations(told: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in told["paths"].items():
        for operation in methods.values():
            yield path, operation


def _plain_tuples(node: Any) -> None:
    """Arrays of a known length are told so, and no `prefixItems`, which few clients know."""
    for inner in node.values() if isinstance(node, dict) else node:
        if isinstance(inner, dict | list):
            _plain_tuples(inner)
    if isinstance(node, dict) and isinstance(node.get("prefixItems"), list):
        node["items"] = node.pop("prefixItems")[0]  # each tuple here is of one type


def _complete(responses: dict[str, Any], path: str) -> None:
    form = "Refusal" if path.startswith("/v2") else "ErrorAnswer"
    refusal = {"application/json": {"schema": {"$ref": REF_TEMPLATE.format(model=form)}}}
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]  # FastAPI's, for a path, which any text is
    if not path.startswith(_OPEN):
        for status in _EVERYWHERE:
            told = {"description": _TEXTS[status], "content": refusal}
            responses.setdefault(str(status), told)
    for status, headers in _HEADERS.items():
        if str(status) in responses:
            responses[str(status)]["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in headers.items()
            }
