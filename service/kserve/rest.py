"""The protocol over HTTP."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from service.core import Core
from service.http.body import read_body
from service.http.call import arrived, deadline_of, unless_gone
from service.kserve import models, wire
from service.kserve.inference import infer
from service.kserve.openapi import ANSWER, ERRORS, INFERENCE
from service.kserve.schemas import (
    KSERVE,
    InferenceResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
)


class KServe:
    """The routes' handlers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def live(self) -> Live:
        """200 while the process is alive."""
        return Live()

    async def ready(self) -> Ready:
        """200 once an engine has answered, until the service drains or an engine has died."""
        models.check_server(self._core)
        return Ready()

    async def server(self) -> ServerMetadata:
        """What serves."""
        return models.server_metadata()

    async def model(self, name: str) -> ModelMetadata:
        """The tensors of a model."""
        return models.model_metadata(self._core.registry.served(name).model)

    async def model_ready(self, name: str) -> ModelReady:
        """200 while the model can be asked."""
        models.check_model(self._core, name)
        return ModelReady(name=name)

    async def infer(self, request: Request, name: str) -> Response:
        """The people in pictures: JSON with base64, or bytes after the JSON."""
        core = self._core
        with core.metrics.request("kserve_http", core.registry.label(name)):
            deadline = deadline_of(request, core.settings)
            with core.metrics.shedding():
                core.registry.served(name)  # refuses before the body is read
                body = await arrived(
                    read_body(request, core.settings.max_request_bytes, "A request"), deadline
                )
            sent, asked = wire.read(
                body, request.headers.get(wire.JSON_LENGTH), core.settings.max_parts
            )
            outputs = await unless_gone(request, infer(core, name, asked, deadline))
            return wire.write(name, sent, outputs)


def install(app: FastAPI, core: Core) -> None:
    """Adds the protocol's paths to `app`."""
    kserve = KServe(core)
    router = APIRouter(prefix=KSERVE, tags=["kserve"])
    router.get("")(kserve.server)
    router.get("/health/live")(kserve.live)
    router.get("/health/ready", responses=_refusals(503))(kserve.ready)
    for model, checks in (
        ("/models/{name}", []),
        ("/models/{name}/versions/{version}", [Depends(models.check_version)]),
    ):
        told: dict[str, Any] = {"dependencies": checks, "responses": _refusals(404, 503)}
        router.get(model, **told)(kserve.model)
        router.get(f"{model}/ready", **told)(kserve.model_ready)
        router.post(
            f"{model}/infer",
            dependencies=checks,
            response_model=InferenceResponse,
            responses={**ERRORS, 200: ANSWER},
            openapi_extra=INFERENCE,
        )(kserve.infer)
    app.include_router(router)


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: ERRORS[status] for status in statuses}
