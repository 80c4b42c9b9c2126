"""Every error over HTTP, as JSON with a code and a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from service.errors import BadParameterError, InternalError, ServiceError
from service.kserve.schemas import KSERVE, Refusal
from service.schemas import ErrorAnswer, ErrorDetail
from service.telemetry.metrics import Metrics

_CODES = {404: "not_found", 405: "method_not_allowed"}


def install(app: FastAPI, metrics: Metrics) -> None:
    """Makes `app` answer errors in this form."""

    @app.exception_handler(ServiceError)
    async def on_service_error(request: Request, error: ServiceError) -> Response:
        return answer(error, request.url.path)

    @app.exception_handler(RequestValidationError)
    async def on_bad_parameter(request: Request, error: RequestValidationError) -> Response:
        metrics.requests.labels("http", "", BadParameterError.code).inc()
        problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
        refusal = BadParameterError(f"{'; '.join(problems)}. See /docs for the parameters.")
        return answer(refusal, request.url.path)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "bad_request")
        content = _content(code, f"{error.detail}. See /docs.", request.url.path)
        return _json(error.status_code, content, error.headers)

    @app.exception_handler(Exception)
    async def on_fault(request: Request, __: Exception) -> Response:
        fault = InternalError("A fault of the service: try again, and see its log if it lasts.")
        return answer(fault, request.url.path)


def body(error: ServiceError) -> ErrorAnswer:
    return ErrorAnswer(error=ErrorDetail(code=error.code, message=error.message))


def answer(error: ServiceError, path: str) -> Response:
    """The error as a path answers it: KServe's have a form of their own."""
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _json(error.http_status, _content(error.code, error.message, path), headers)


def _content(code: str, message: str, path: str) -> BaseModel:
    if path == KSERVE or path.startswith(f"{KSERVE}/"):
        return Refusal(error=message)
    return ErrorAnswer(error=ErrorDetail(code=code, message=message))


def _json(status: int, content: BaseModel, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content.model_dump_json(), status, dict(headers or {}), "application/json")
