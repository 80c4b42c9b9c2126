"""`python -m tests.benchmarks.refusals`: what a gRPC call costs that is refused at once.

A server with nothing but our gate's refusal, and one caller: processor time of both for each call,
which is what gRPC for Python takes by itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.queues import Queue
from typing import Any

import grpc
import psutil

from service.errors import OverloadedError
from service.rpc.call import refusing

_CALLS, _RATE = 3000, 400.0
_PICTURE = bytes(20_000)


class _Refuse(grpc.aio.ServerInterceptor):
    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],  # noqa: ARG002 - grpc's
        handler_call_details: grpc.HandlerCallDetails,  # noqa: ARG002 - grpc's
    ) -> Any:
        return refusing(OverloadedError("There is no room.", retry_after=1))


def _serve(ports: Queue[int]) -> None:
    async def run() -> None:
        server = grpc.aio.server(interceptors=[_Refuse()])
        ports.put(server.add_insecure_port("127.0.0.1:0"))
        await server.start()
        await server.wait_for_termination()

    asyncio.run(run())


async def _call(port: int) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.unary_unary("/pose.v1.PoseService/Estimate")
        calls = []
        for _ in range(_CALLS):
            calls.append(asyncio.ensure_future(method(_PICTURE)))
            await asyncio.sleep(1 / _RATE)
        await asyncio.gather(*calls, return_exceptions=True)


def main() -> None:
    """Prints microseconds of the processor for each call."""
    spawning = multiprocessing.get_context("spawn")
    ports: Queue[int] = spawning.Queue()
    server = spawning.Process(target=_serve, args=(ports,), daemon=True)
    server.start()
    port = ports.get()
    asyncio.run(_call(port))
    watched, began = psutil.Process(server.pid), time.process_time()
    before = sum(watched.cpu_times()[:2])
    asyncio.run(_call(port))
    took = sum(watched.cpu_times()[:2]) - before, time.process_time() - began
    for who, seconds in zip(("server", "caller"), took, strict=True):
        print(f"{who}: {seconds / _CALLS * 1e6:.0f} us a refused call")
    server.kill()


if __name__ == "__main__":
    main()
