"""Refuses pictures for which there is no room, at once: under a flood most requests end here."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from service.core import Core
from service.errors import ServiceError
from service.http import errors as http_errors
from service.kserve.schemas import KSERVE

_PICTURES = frozenset({"/v1/poses", "/v1/render"})


class HttpGate:
    """Middleware, so that nothing of a request that is refused is parsed, and its body not read:
    the server reads what comes of it and drops it, and the connection serves the next request.

    Args:
        app: what it is put around.
        core: whose admission is asked.
    """

    def __init__(self, app: ASGIApp, core: Core) -> None:
        self._app = app
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and (asked := _asked(scope)):
            try:
                self._core.admission.check(1)
            except ServiceError as error:
                protocol, model = asked
                label = self._core.registry.label(model)
                self._core.metrics.refused(error, protocol, label)
                await http_errors.answer(error, scope["path"])(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _asked(scope: Scope) -> tuple[str, str] | None:
    """Protocol and model, where pictures are sent for people."""
    path: str = scope["path"]
    if path in _PICTURES:
        query = scope["query_string"]
        named = parse_qs(query.decode("latin-1")).get("model") if query else None
        return "http", named[-1] if named else ""
    if path.startswith(f"{KSERVE}/models/") and path.endswith("/infer"):
        return "kserve_http", path.split("/")[3]
    return None
