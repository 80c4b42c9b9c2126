"""Requests of KServe's protocol, as JSON, and what is read of their answers."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from typing import Any

import httpx

from service.kserve.wire import JSON_LENGTH
from tests.service.serving import assert_sentence

URL = "/v2/models/lightweight-openpose-int8/infer"


def packed(*images: bytes) -> bytes:
    """A BYTES tensor."""
    return b"".join(struct.pack("<I", len(image)) + image for image in images)


def in_json(*images: bytes, **more: Any) -> dict[str, Any]:
    """The request with the pictures in base64, as httpx takes it."""
    return {"json": _request(images, {"data": [b64encode(one).decode() for one in images]}, more)}


def in_bytes(*images: bytes, **more: Any) -> dict[str, Any]:
    """The request with the pictures after the JSON, as httpx takes it."""
    tail = packed(*images)
    told = {"parameters": {"binary_data_size": len(tail)}}
    head = json.dumps(_request(images, told, more)).encode()
    return {"content": head + tail, "headers": {JSON_LENGTH: str(len(head))}}


def refused(answer: httpx.Response, status: int) -> str:
    """The sentence of an error in the protocol's form."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert answer.json().keys() == {"error"}
    message: str = answer.json()["error"]
    assert_sentence(message)
    return message


def outputs(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return {output["name"]: output for output in answer.json()["outputs"]}


def _request(
    images: tuple[bytes, ...], data: dict[str, Any], more: dict[str, Any]
) -> dict[str, Any]:
    image = {"name": "image", "datatype": "BYTES", "shape": [len(images)]}
    return {"inputs": [image | data]} | more
