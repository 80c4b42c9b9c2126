"""A cheap gRPC caller: messages are serialised once, and answers left as they are."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from service.pb import pose_pb2 as pb
from tests.load.replies import LEFT, Reply

_ESTIMATE = "/pose.v1.PoseService/Estimate"
_CHANNEL = (("grpc.use_local_subchannel_pool", 1),)  # a connection of its own for each channel


class GrpcCaller:
    """Calls `Estimate`.

    Args:
        address: `host:port`.
        channels: connections, which take turns.
    """

    protocol = "grpc"

    def __init__(self, address: str, channels: int = 4) -> None:
        self._channels = [grpc.aio.insecure_channel(address, _CHANNEL) for _ in range(channels)]
        self._methods: Iterator[Any] = itertools.cycle(
            [channel.unary_unary(_ESTIMATE) for channel in self._channels]
        )

    def prepare(self, image: bytes) -> bytes:
        """The request that sends an image, to be sent as often as wanted."""
        request: bytes = pb.EstimateRequest(image=image).SerializeToString()
        return request

    async def call(self, request: bytes, patience: float | None = None) -> Reply:
        """Sends a prepared request; a caller with `patience` leaves after so many seconds."""
        call: Any = next(self._methods)(request)
        if patience is not None:
            asyncio.get_running_loop().call_later(patience, call.cancel)
        try:
            return Reply("OK", body=await call)
        except grpc.aio.AioRpcError as error:
            trailer: Mapping[str, Any] = dict(error.trailing_metadata())
            code = trailer.get("posewire-code", "")
            return Reply(error.code().name, code, again="grpc-retry-pushback-ms" in trailer)
        except asyncio.CancelledError:
            if not call.cancelled():  # this caller itself is
                raise
            return Reply(LEFT)

    async def close(self) -> None:
        """Closes the channels; calls under way are cancelled."""
        for channel in self._channels:
            await channel.close()
