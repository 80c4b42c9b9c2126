"""HTTP routes, thin: bytes in, JSON out. Everything else is the estimator's."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi import Query as Params
from fastapi_offline import FastAPIOffline
from pydantic import TypeAdapter

from engines.drawing import draw
from service import formats, http_errors
from service.admission import State
from service.boxes import parse_boxes
from service.core import Core
from service.errors import BadParameterError, CallerGoneError, DeadlineError, ServiceError
from service.estimate import Estimate, Query
from service.http_body import Upload, read_upload
from service.images import encode
from service.openapi import BINARY, BODY, ERRORS
from service.schemas import Answer, ErrorAnswer, ModelInfo, ModelList, PeopleQuery, PoseQuery

T = TypeVar("T")

_Answers = TypeAdapter(Answer | list[Answer | ErrorAnswer])
_TIMEOUT = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|)")


class Rest:
    """The routes' handlers."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def poses(self, request: Request, query: Annotated[PoseQuery, Params()]) -> Response:
        """The people in one image, or a list for several images."""

        async def one(index: int, data: bytes, asked: Query) -> Answer:
            estimate = await self._core.estimator.estimate(data, asked)
            return formats.as_format(estimate, query.format, index)

        async def entry(index: int, data: bytes, asked: Query) -> Answer | ErrorAnswer:
            try:
                return await one(index, data, asked)
            except ServiceError as error:
                return http_errors.body(error)

        async def answer(upload: Upload, asked: Query) -> Answer | list[Answer | ErrorAnswer]:
            if not upload.many:
                return await one(0, upload.images[0], asked)
            entries = (entry(index, data, asked) for index, data in enumerate(upload.images))
            return await asyncio.gather(*entries)

        answers = await self._answer(request, query, answer)
        return Response(_Answers.dump_json(answers), media_type="application/json")

    async def render(self, request: Request, query: Annotated[PeopleQuery, Params()]) -> Response:
        """The picture with its people drawn, as JPEG."""

        async def answer(upload: Upload, asked: Query) -> bytes:
            if upload.many:
                raise BadParameterError("One picture is drawn at a time: send a single image.")
            asked = replace(asked, keep_image=True)
            return await asyncio.to_thread(
                _drawn, await self._core.estimator.estimate(upload.images[0], asked)
            )

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
        state = self._core.admission.state
        dead = self._core.registry.dead()
        if state is State.SERVING and not dead:
            return {"status": "ready"}
        response.status_code = 503
        return {"status": f"the engine of {', '.join(dead)} has died" if dead else state.value}

    async def metrics(self) -> Response:
        """Prometheus' text format."""
        return Response(
            self._core.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def _answer(
        self,
        request: Request,
        query: PeopleQuery,
        answer: Callable[[Upload, Query], Coroutine[Any, Any, T]],
    ) -> T:
        """What `answer` makes of the images in a request; counts it, and minds its deadline."""
        with self._core.metrics.request("http", self._core.registry.label(query.model)):
            asked = self._query(request, query)
            self._core.registry.chosen(asked)  # refuses before the body is read
            try:
                async with asyncio.timeout_at(asked.deadline):
                    upload = await read_upload(request, self._core.settings)
            except TimeoutError:
                raise DeadlineError(
                    "The deadline passed before all of the request came: allow more time."
                ) from None
            if asked.boxes is not None and upload.many:
                raise BadParameterError("Boxes are of one image: send such images one by one.")
            return await _unless_gone(request, answer(upload, asked))

    def _query(self, request: Request, query: PeopleQuery) -> Query:
        return Query(
            query.model,
            self._deadline(request),
            query.min_score,
            query.max_people,
            boxes=parse_boxes(query.boxes, self._core.settings.max_boxes),
            detector=query.detector,
        )

    def _deadline(self, request: Request) -> float:
        """From `X-Request-Timeout`: seconds, or milliseconds as in `250ms`."""
        allowed = self._core.settings.timeout
        if asked := request.headers.get("x-request-timeout"):
            match = _TIMEOUT.fullmatch(asked.strip())
            if not match:
                raise BadParameterError(
                    f"X-Request-Timeout {asked!r} is not a time: write 1.5 or 1500ms."
                )
            allowed = min(allowed, float(match[1]) / (1000 if match[2] == "ms" else 1))
        return time.monotonic() + allowed


def create_app(core: Core) -> FastAPI:
    """The HTTP application. Its /docs needs no network."""
    rest = Rest(core)
    app: FastAPI = FastAPIOffline(
        title="Posewire",
        description="Images in, people out.",
        redoc_url=None,
        openapi_tags=[{"name": "poses"}, {"name": "operation"}],
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
    app.get("/v1/models", **poses)(rest.models)
    app.get("/v1/models/{name}", responses={404: ERRORS[404]}, **poses)(rest.model)
    for path in ("/healthz", "/readyz", "/metrics"):
        app.get(path, tags=["operation"])(getattr(rest, path[1:]))
    return app


def _drawn(estimate: Estimate) -> bytes:
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
            raise CallerGoneError("The caller left before the answer.")
        return task.result()
    finally:
        task.cancel()
        watcher.cancel()


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
