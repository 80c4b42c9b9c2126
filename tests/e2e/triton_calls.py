"""Calls a server as Triton's clients do, in a process of its own: prints what came back as JSON.

Their generated code has the same protobuf names as ours, which one process cannot have twice.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.grpc as by_grpc  # type: ignore[import-untyped]
import tritonclient.grpc.aio as by_grpc_aio  # type: ignore[import-untyped]
import tritonclient.http as by_http  # type: ignore[import-untyped]
from tritonclient.utils import InferenceServerException  # type: ignore[import-untyped]


def ask(protocol: Any, *images: bytes) -> list[Any]:
    """Inputs of those images."""
    image = protocol.InferInput("image", [len(images)], "BYTES")
    image.set_data_from_numpy(np.array(images, np.object_))
    return [image]


def told(result: Any) -> dict[str, Any]:
    """The tensors, as lists."""
    found = {name: result.as_numpy(name) for name in ("people", "keypoints", "scores", "boxes")}
    return {
        name: [json.loads(text) for text in values] if name == "people" else values.tolist()
        for name, values in found.items()
        if values is not None
    }


def refusal(client: Any, protocol: Any, model: str) -> str:
    try:
        client.infer(model, ask(protocol, b"no picture"))
    except InferenceServerException as error:
        return str(error)
    return "no error"


def calls(protocol: Any, address: str, model: str, images: list[bytes]) -> dict[str, Any]:
    """What a client without asyncio sees."""
    scores = [protocol.InferRequestedOutput("scores")]
    with protocol.InferenceServerClient(address) as client:
        metadata = [client.get_server_metadata(), client.get_model_metadata(model)]
        return {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model": client.is_model_ready(model),
            "version": client.is_model_ready(model, "1"),
            "another": client.is_model_ready("nobody"),
            "server": named(metadata[0]),
            "metadata": named(metadata[1]),
            "one": told(client.infer(model, ask(protocol, images[0]), request_id="seven")),
            "several": told(client.infer(model, ask(protocol, *images))),
            "scores": told(client.infer(model, ask(protocol, images[0]), outputs=scores)),
            "none": told(client.infer(model, ask(protocol, images[1]))),
            "best": told(
                client.infer(model, ask(protocol, images[0]), parameters={"min_score": 1.0})
            ),
            "refusal": refusal(client, protocol, model),
        }


def named(metadata: Any) -> str:
    return str(metadata["name"] if isinstance(metadata, dict) else metadata.name)


def at_once(address: str, model: str, image: bytes) -> list[Any]:
    """What a client over HTTP sees of three calls at once."""
    with by_http.InferenceServerClient(address, concurrency=3) as client:
        asked = [client.async_infer(model, ask(by_http, image)) for _ in range(3)]
        return [told(one.get_result()) for one in asked]


async def by_asyncio(address: str, model: str, image: bytes) -> list[Any]:
    """What a client over gRPC sees of three."""
    async with by_grpc_aio.InferenceServerClient(address) as client:
        asked = (client.infer(model, ask(by_grpc, image)) for _ in range(3))
        return [told(result) for result in await asyncio.gather(*asked)]


def main(http: str, grpc: str, model: str, *files: str) -> None:
    images = [Path(file).read_bytes() for file in files]
    seen = {
        "http": calls(by_http, http, model, images),
        "grpc": calls(by_grpc, grpc, model, images),
        "http at once": at_once(http, model, images[0]),
        "grpc at once": asyncio.run(by_asyncio(grpc, model, images[0])),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
