"""Refuses HTTP requests before their body is read: of unknown callers, and of compressed bodies."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.auth import Guard
from service.errors import ServiceError, UnauthorizedError, UnsupportedEncodingError
from service.http import errors as http_errors
from service.telemetry.metrics import Metrics

HEALTH = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
"""Paths that are open to all, and answered when nothing else is."""


class HttpGuard:
    """Middleware.

    Args:
        app: what it guards.
        guard: of callers.
        metrics: counts refusals.
        metrics_open: whether /metrics needs no key either.
    """

    def __init__(self, app: ASGIApp, guard: Guard, metrics: Metrics, metrics_open: bool) -> None:
        self._app = app
        self._guard = guard
        self._metrics = metrics
        self._open = HEALTH | {"/metrics"} if metrics_open else HEALTH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._open:
            try:
                self._check(Headers(scope=scope))
            except ServiceError as error:
                self._metrics.refused(error, "http", "")
                response = http_errors.answer(error, scope["path"])
                if isinstance(error, UnauthorizedError):
                    response.headers["WWW-Authenticate"] = "Bearer"
                if isinstance(error, UnsupportedEncodingError):
                    response.headers["Accept-Encoding"] = "identity"
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, headers: Headers) -> None:
        self._guard.admit(headers.get("authorization", ""), headers.get("x-api-key", ""))
        coding = headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            raise UnsupportedEncodingError(
                f"Content-Encoding {coding[:20]!r} is not accepted: send the picture as it is, "
                "which is compressed already."
            )


def cors(origins: tuple[str, ...]) -> dict[str, Any]:
    """What pages of these origins may do, as Starlette's middleware takes it.

    Browsers ask beforehand, without a key: it belongs before the guard.
    """
    return {
        "allow_origins": origins,
        "allow_methods": ("GET", "POST"),
        "allow_headers": ("Authorization", "X-API-Key", "X-Request-ID", "X-Request-Timeout"),
        "expose_headers": ("Retry-After", "Server-Timing", "X-Request-ID"),
    }
