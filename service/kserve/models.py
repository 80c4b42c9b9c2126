"""What the protocol says of the server and its models."""

from __future__ import annotations

from importlib.metadata import version

from engines.model import Model
from service.core import Core
from service.errors import UnavailableError, UnknownModelError
from service.kserve.schemas import ModelMetadata, ServerMetadata, TensorMetadata
from service.kserve.tensors import IMAGE

VERSION = "1"
"""Of every model: another one has another name."""


def check_version(version: str) -> None:
    """Raises UnknownModelError for one that no model has."""
    if version != VERSION:
        raise UnknownModelError(f"There is no version {version!r}: ask for {VERSION}, or for none.")


def check_server(core: Core) -> None:
    """Raises UnavailableError while not every model can be asked."""
    if why := core.unready:
        raise UnavailableError(f"The service is not ready ({why}): try again in a moment.")


def check_model(core: Core, name: str) -> None:
    """Raises UnavailableError or UnknownModelError for a model that cannot be asked now."""
    if not core.registry.served(name).alive:
        raise UnavailableError(f"The engine of {name} does not run: try again later.")


def server_metadata() -> ServerMetadata:
    return ServerMetadata(
        name="posewire", version=version("posewire"), extensions=["binary_tensor_data"]
    )


def model_metadata(model: Model) -> ModelMetadata:
    keypoints = len(model.entry.skeleton.keypoints)
    engine = next(iter(model.engines.values()))
    return ModelMetadata(
        name=model.entry.name,
        versions=[VERSION],
        platform=f"posewire_{engine.name}",
        inputs=[TensorMetadata(name=IMAGE, datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name="people", datatype="BYTES", shape=[-1]),
            TensorMetadata(name="keypoints", datatype="FP32", shape=[-1, keypoints, 3]),
            TensorMetadata(name="scores", datatype="FP32", shape=[-1]),
            TensorMetadata(name="boxes", datatype="FP32", shape=[-1, 4]),
        ],
    )
