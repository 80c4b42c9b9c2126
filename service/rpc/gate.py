"""Refuses pictures for which there is no room, at once: under a flood most calls end here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc

from service.core import Core
from service.errors import ServiceError
from service.rpc.call import refusing

_Handler = Any  # the stubs know those of servers with threads alone
_PICTURES: Final = {  # methods, and what metrics call their protocols
    "/pose.v1.PoseService/Estimate": "grpc",
    "/inference.GRPCInferenceService/ModelInfer": "kserve_grpc",
}


class RpcGate(grpc.aio.ServerInterceptor):
    """Interceptor, so that nothing of a call that is refused is read, its model's name included.

    Args:
        core: whose admission is asked.
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        if protocol := _PICTURES.get(handler_call_details.method):
            try:
                self._core.admission.check(1)
            except ServiceError as error:
                self._core.metrics.refused(error, protocol, "")
                return refusing(error)
        return await continuation(handler_call_details)
