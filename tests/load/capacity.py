"""Offers loads over HTTP and gRPC together, and finds the largest that is borne."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e.server import Server
from tests.load.grpc_caller import GrpcCaller
from tests.load.http_caller import HttpCaller
from tests.load.loads import Load
from tests.load.open_loop import constant, offer, poisson
from tests.load.pictures import people

_FIRST_RATE = 64.0  # above the capacity of a processor of few cores
_PROBES = (1.0, 1.5, 2.0)  # shares of what a first look finds
_PICTURES = 8


@dataclass(frozen=True, slots=True)
class Offers:
    """Half of the requests to a server goes over each protocol.

    Args:
        server: under way.
        seed: of arrivals at random, as those of many callers are; None spaces them evenly.
    """

    server: Server
    seed: int | None = 0

    async def offer(self, load: Load, seconds: float) -> None:
        """A spell of a load."""
        images = [picture.data for picture in people(_PICTURES)]
        http, rpc = HttpCaller(self.server.http), GrpcCaller(self.server.grpc)
        try:
            load.add(await offer((http, rpc), images, self._due(load.rate), seconds), seconds)
        finally:
            await http.close()
            await rpc.close()

    async def capacity(self, seconds: float) -> float:
        """The most images a second that are answered, whatever is offered.

        Args:
            seconds: of each of four looks.
        """
        rough = await self._accepted(_FIRST_RATE, seconds)
        return max([rough, *[await self._accepted(share * rough, seconds) for share in _PROBES]])

    async def _accepted(self, rate: float, seconds: float) -> float:
        load = Load(0.0, rate)
        await self.offer(load, seconds)
        return max(load.accepted, 1.0)

    def _due(self, rate: float) -> Iterator[float]:
        return constant(rate) if self.seed is None else poisson(rate, self.seed)
