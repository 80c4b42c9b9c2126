"""Every error over HTTP, as JSON with a code and a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from service.errors import BadParameterError, InternalError, OverloadedError, ServiceError
from service.metrics import Metrics
from service.schemas import ErrorAnswer, ErrorDetail

_CODES = {404: "not_found", 405: "method_not_allowed"}


def install(app: FastAPI, metrics: Metrics) -> None:
    """Makes `app` answer errors in this form."""

    @app.exception_handler(ServiceError)
    async def on_service_error(_: Request, error: ServiceError) -> Response:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def on_bad_parameter(_: Request, error: RequestValidationError) -> Response:
        metrics.requests.labels("http", "", BadParameterError.code).inc()
        problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
        return answer(BadParameterError(f"{'; '.join(problems)}. See /docs for the parameters."))

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, "bad_request")
        return _json(error.status_code, code, f"{error.detail}. See /docs.", error.headers)

    @app.exception_handler(Exception)
    async def on_fault(_: Request, __: Exception) -> Response:
        return answer(
            InternalError("A fault of the service: try again, and see its log if it lasts.")
        )


def body(error: ServiceError) -> ErrorAnswer:
    return ErrorAnswer(error=ErrorDetail(code=error.code, message=error.message))


def answer(error: ServiceError) -> Response:
    headers = {}
    if isinstance(error, OverloadedError):
        headers["Retry-After"] = str(error.retry_after)
    return _json(error.http_status, error.code, error.message, headers)


def _json(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    content = ErrorAnswer(error=ErrorDetail(code=code, message=message)).model_dump_json()
    return Response(content, status, dict(headers or {}), "application/json")
