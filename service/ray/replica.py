"""A replica: an instance of the service whose requests come by Ray."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

from ray.serve.grpc_util import RayServegRPCContext, gRPCInputStream
from starlette.types import ASGIApp

from service.http.rest import create_app
from service.instance import Instance
from service.ray.rpc import Calls
from service.settings import Settings
from service.telemetry import logs
from service.threads import one_thread


class Replica:
    """What Ray Serve makes one of for each replica, and gives requests once it has been made.

    Args:
        settings: of the service.
    """

    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc] # awaited by Ray
        logs.configure(settings.log_format, settings.log_level, sys.stderr)
        self._process = ExitStack()
        self._process.enter_context(one_thread())
        self._instance = Instance(settings, settings.threads)
        await self._instance.start()
        self._calls = Calls(self._instance.core)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        return create_app(self._instance.core)

    async def call(self, message: bytes, grpc_context: RayServegRPCContext) -> Any:
        """A call of gRPC with one message."""
        return await self._calls.one(message, grpc_context)

    async def stream(
        self, messages: gRPCInputStream[bytes], grpc_context: RayServegRPCContext
    ) -> AsyncIterator[Any]:
        """A call with a stream of them."""
        async for answer in self._calls.several(messages, grpc_context):
            yield answer

    def check_health(self) -> None:
        """Asked by Ray, which replaces a replica whose answer is an error.

        Raises:
            RuntimeError: an engine died for good.
        """
        if self._instance.failed.is_set():
            raise RuntimeError("an engine died for good")

    async def __del__(self) -> None:
        """Called by Ray, once what it gave this replica is answered or the grace time is over."""
        await self._instance.drain()
        await self._instance.stop()
        await self._instance.close()
        self._process.close()
