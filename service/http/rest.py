"""HTTP routes, thin: bytes in, JSON out. Everything else is the estimator's."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi import Query as Params
from fastapi_offline import FastAPIOffline
from pydantic import TypeAdapter
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from service import formats
from service.boxes import parse_boxes
from service.core import Core
from service.errors import BadParameterError, ServiceError, UnavailableError
from service.estimate import Query
from service.http import errors as http_errors
from service.http import openapi
from service.http.body import Upload, read_upload
from service.http.call import arrived, deadline_of, unless_gone
from service.http.closing import HttpClosing
from service.http.gate import HttpGate
from service.http.guard import HttpGuard, cors
from service.http.memory import HttpMemory
from service.http.openapi import BINARY, BODY, ERRORS, STATUS, refusals
from service.http.watch import HttpWatch
from service.kserve import rest as kserve
from service.kserve.schemas import InferenceRequest
from service.schemas import Answer, ErrorAnswer, ModelInfo, ModelList, PeopleQuery, PoseQuery
from service.telemetry.tracing import part
from service.telemetry.watch import Watch
from service.threads import in_daemon

T = TypeVar("T")

_Answer: TypeAdapter[Answer] = TypeAdapter(Answer)


class Rest:
    """The routes' handlers."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._scraping = asyncio.Lock()

    async def poses(self, request: Request, query: Annotated[PoseQuery, Params()]) -> Response:
        """The people in one image, or a list for several images."""

        async def one(index: int, data: bytes, asked: Query) -> bytes:
            estimate = await self._core.estimator.estimate(data, asked)
            with self._core.metrics.encoding(estimate.entry.name):
                return _Answer.dump_json(formats.as_format(estimate, query.format, index))

        async def answer(upload: Upload, asked: Query) -> bytes:
            if not upload.many:
                return await one(0, upload.images[0], asked)
            # The others wait outside of the system, so that a form needs no more room than others.
            room = asyncio.Semaphore(self._core.window)

            async def entry(index: int, data: bytes) -> bytes:
                async with room:
                    with part("image"):
                        try:
                            return await one(index, data, asked)
                        except ServiceError as error:
                            return http_errors.body(error).model_dump_json().encode()

            entries = await asyncio.gather(*map(entry, itertools.count(), upload.images))
            return b"[" + b",".join(entries) + b"]"

        content = await self._answer(request, query, answer)
        return Response(content, media_type="application/json")

    async def render(self, request: Request, query: Annotated[PeopleQuery, Params()]) -> Response:
        """The picture with its people drawn, as JPEG."""

        async def answer(upload: Upload, asked: Query) -> bytes:
            if upload.many:
                raise BadParameterError("One picture is drawn at a time: send a single image.")
            return await self._core.estimator.render(upload.images[0], asked)

        picture = await self._answer(request, query, answer)
        return Response(picture, media_type="image/jpeg")

    async def models(self) -> ModelList:
        """The models that are served, the default first."""
        served = self._core.registry.served_models()
        return ModelList(models=formats.model_infos(served))

    async def model(self, name: str) -> ModelInfo:
        """One model that is served."""
        served = self._core.registry.served(name).model.entry.name
        infos = formats.model_infos(self._core.registry.served_models())
        return next(info for info in infos if info.name == served)

    async def healthz(self) -> dict[str, str]:
        """200 while the process is alive."""
        return {"status": "alive"}

    async def readyz(self, response: Response) -> dict[str, str]:
        """200 once an engine has answered, until the service drains or an engine has died."""
        why = self._core.unready
        if why:
            response.status_code = 503
            response.headers["Retry-After"] = str(UnavailableError.retry_after)
        return {"status": why or "ready"}

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        async with self._scraping:  # one at a time, in a thread: a GPU's driver may not answer
            text = await in_daemon(self._core.metrics.text)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _answer(
        self,
        request: Request,
        query: PeopleQuery,
        answer: Callable[[Upload, Query], Coroutine[Any, Any, T]],
    ) -> T:
        """What `answer` makes of the images in a request; counts it, and minds its deadline."""
        with self._core.metrics.request("http", self._core.registry.label(query.model)):
            asked = self._query(request, query)
            with self._core.metrics.shedding():
                self._core.estimator.chosen(asked)  # refuses before the body is read
                upload = await arrived(read_upload(request, self._core.settings), asked.deadline)
            if asked.boxes is not None and upload.many:
                raise BadParameterError("Boxes are of one image: send such images one by one.")
            return await unless_gone(request, answer(upload, asked))

    def _query(self, request: Request, query: PeopleQuery) -> Query:
        return Query(
            query.model,
            deadline_of(request, self._core.settings),
            query.min_score,
            query.max_people,
            boxes=parse_boxes(query.boxes, self._core.settings.max_boxes),
            detector=query.detector,
        )


def create_app(core: Core) -> ASGIApp:
    """The HTTP application: the routes, and around them what refuses requests for less."""
    settings = core.settings
    app: ASGIApp = HttpMemory(_routes(core), settings.max_held_bytes)
    app = HttpGuard(HttpGate(app, core), core.guard, core.metrics, settings.metrics_open)
    if settings.cors_origins:
        app = CORSMiddleware(app, **cors(settings.cors_origins))
    return HttpWatch(HttpClosing(app, core.admission), Watch(core.tracer))


def _routes(core: Core) -> FastAPI:
    """Its /docs needs no network."""
    rest = Rest(core)
    app: FastAPI = FastAPIOffline(
        title="Posewire",
        description="Images in, people out.",
        redoc_url=None,
        # FastAPI's own would tell pictures too, and each request a second time.
        telemetry=dict.fromkeys(("tracing", "metrics", "logs"), False),
        openapi_tags=[{"name": "poses"}, {"name": "operation"}, {"name": "kserve"}],
    )
    http_errors.install(app, core.metrics)
    poses: dict[str, Any] = {"tags": ["poses"]}
    app.post(
        "/v1/poses",
        response_model=Answer | list[Answer | ErrorAnswer],
        responses=ERRORS,
        openapi_extra=BODY,
        **poses,
    )(rest.poses)
    app.post(
        "/v1/render",
        response_class=Response,
        responses={**ERRORS, 200: {"content": {"image/jpeg": BINARY}}},
        openapi_extra=BODY,
        **poses,
    )(rest.render)
    app.get("/v1/models", responses=refusals(503), **poses)(rest.models)
    app.get("/v1/models/{name}", responses=refusals(404, 503), **poses)(rest.model)
    for path, told in STATUS.items():
        app.get(path, tags=["operation"], **told)(getattr(rest, path[1:]))
    kserve.install(app, core)
    openapi.install(app, InferenceRequest)
    return app
