"""HTTP routes, thin: bytes in, JSON out. Everything else is the estimator's."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi_offline import FastAPIOffline
from pydantic import TypeAdapter

from engines.drawing import draw
from service import estimator, formats, http_errors
from service.admission import Admission, State
from service.errors import BadParameterError, CallerGoneError, ServiceError
from service.estimator import Estimator
from service.http_body import Upload, read_upload
from service.images import encode
from service.metrics import Metrics
from service.schemas import Answer, ErrorAnswer, ModelInfo, ModelList, PoseQuery, RenderQuery
from service.settings import Settings

T = TypeVar("T")

_Answers = TypeAdapter(Answer | list[Answer | ErrorAnswer])
_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {
    "type": "object",
    "required": ["image"],
    "properties": {"image": {"type": "array", "items": {"type": "string", "format": "binary"}}},
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **dict.fromkeys(_IMAGE_TYPES, _BINARY),
            "multipart/form-data": {"schema": _FILES},
        },
    }
}
_ERRORS: dict[int | str, dict[str, Any]] = {
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
_TIMEOUT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|)")


class Rest:
    """The routes' handlers.

    Args:
        estimator: answers.
        admission: knows whether the service serves.
        metrics: shown at /metrics.
        settings: limits.
    """

    def __init__(
        self, estimator: Estimator, admission: Admission, metrics: Metrics, settings: Settings
    ) -> None:
        self._estimator = estimator
        self._admission = admission
        self._metrics = metrics
        self._settings = settings

    async def poses(self, request: Request, query: Annotated[PoseQuery, Query()]) -> Response:
        """The people in one image, or a list for several images."""
        asked = estimator.Query(
            query.model, self._deadline(request), query.min_score, query.max_people
        )

        async def one(index: int, data: bytes) -> Answer:
            return formats.as_format(
                await self._estimator.estimate(data, asked), query.format, index
            )

        async def entry(index: int, data: bytes) -> Answer | ErrorAnswer:
            try:
                return await one(index, data)
            except ServiceError as error:
                return http_errors.body(error)

        async def answers(upload: Upload) -> Answer | list[Answer | ErrorAnswer]:
            if not upload.many:
                return await one(0, upload.images[0])
            return await asyncio.gather(*map(entry, range(len(upload.images)), upload.images))

        name = self._estimator.served(query.model).model.entry.name
        with self._metrics.request("http", name):
            upload = await read_upload(request, self._settings)
            result = await _unless_gone(request, answers(upload))
        return Response(_Answers.dump_json(result), media_type="application/json")

    async def render(self, request: Request, query: Annotated[RenderQuery, Query()]) -> Response:
        """The picture with its people drawn, as JPEG."""
        asked = estimator.Query(
            query.model,
            self._deadline(request),
            query.min_score,
            query.max_people,
            keep_image=True,
        )
        name = self._estimator.served(query.model).model.entry.name
        with self._metrics.request("http", name):
            upload = await read_upload(request, self._settings)
            if upload.many:
                raise BadParameterError("one picture is drawn at a time; send a single image")
            work = self._estimator.estimate(upload.images[0], asked)
            picture = await asyncio.to_thread(_drawn, await _unless_gone(request, work))
        return Response(picture, media_type="image/jpeg")

    async def models(self) -> ModelList:
        """The models that are served, the default first."""
        served = self._estimator.served_models()
        return ModelList(models=formats.model_infos(served))

    async def model(self, name: str) -> ModelInfo:
        """One model that is served."""
        entry = self._estimator.served(name).model.entry
        infos = formats.model_infos(self._estimator.served_models())
        return next(info for info in infos if info.name == entry.name)

    async def healthz(self) -> dict[str, str]:
        """200 while the process is alive."""
        return {"status": "alive"}

    async def readyz(self, response: Response) -> dict[str, str]:
        """200 once an engine has answered, until the service drains or an engine has died."""
        state = self._admission.state
        dead = self._estimator.dead()
        if state is State.SERVING and not dead:
            return {"status": "ready"}
        response.status_code = 503
        return {"status": f"the engine of {', '.join(dead)} has died" if dead else state.value}

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    def _deadline(self, request: Request) -> float:
        """From `X-Request-Timeout`: seconds, or milliseconds as in `250ms`."""
        allowed = self._settings.timeout
        if asked := request.headers.get("x-request-timeout"):
            match = _TIMEOUT.fullmatch(asked.strip())
            if not match:
                raise BadParameterError(
                    f"X-Request-Timeout {asked!r} is not a time; write 1.5 or 1500ms"
                )
            allowed = min(allowed, float(match[1]) / (1000 if match[2] == "ms" else 1))
        return time.monotonic() + allowed


def create_app(
    estimator: Estimator, admission: Admission, metrics: Metrics, settings: Settings
) -> FastAPI:
    """The HTTP application. Its /docs needs no network."""
    rest = Rest(estimator, admission, metrics, settings)
    app: FastAPI = FastAPIOffline(
        title="Posewire",
        description="Images in, people out.",
        redoc_url=None,
        openapi_tags=[{"name": "poses"}, {"name": "operation"}],
    )
    http_errors.install(app, metrics)
    poses: dict[str, Any] = {"tags": ["poses"]}
    app.post(
        "/v1/poses",
        response_model=Answer | list[Answer | ErrorAnswer],
        responses=_ERRORS,
        openapi_extra=_BODY,
        **poses,
    )(rest.poses)
    app.post(
        "/v1/render",
        response_class=Response,
        responses={**_ERRORS, 200: {"content": {"image/jpeg": _BINARY}}},
        openapi_extra=_BODY,
        **poses,
    )(rest.render)
    app.get("/v1/models", **poses)(rest.models)
    app.get("/v1/models/{name}", responses={404: _ERRORS[404]}, **poses)(rest.model)
    for path in ("/healthz", "/readyz", "/metrics"):
        app.get(path, tags=["operation"])(getattr(rest, path[1:]))
    return app


def _drawn(estimate: estimator.Estimate) -> bytes:
    if estimate.image is None:
        raise ValueError("the estimate does not carry its image")
    return encode(draw(estimate.image, estimate.people, estimate.entry.skeleton))


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Awaits `work`, cancelling it when the caller disconnects.

    HTTP servers do not cancel a handler then; its image would take an engine's time.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_disconnection(request))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise CallerGoneError("the caller left before the answer")
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
