"""A load generator in a process of its own: `python -m service.bench.client`.

Each of so many callers sends its next image when its last one is answered. Prints the
latencies and the duration, in seconds, as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from service.bench.pictures import read_pictures
from service.pb import pose_pb2 as pb
from service.pb.pose_pb2_grpc import PoseServiceStub


@dataclass(frozen=True, slots=True)
class Caller:
    """Loads the server at `address` until the clock says `ends`."""

    address: str
    images: Iterator[bytes]
    ends: float
    concurrency: int
    latencies: list[float] = field(default_factory=list)

    def http(self) -> None:
        with ThreadPoolExecutor(self.concurrency) as threads:
            for done in [threads.submit(self._call_http) for _ in range(self.concurrency)]:
                done.result()

    def grpc(self) -> None:
        asyncio.run(self._grpc())

    def grpc_stream(self) -> None:
        asyncio.run(self._grpc_stream())

    def _call_http(self) -> None:
        connection = http.client.HTTPConnection(self.address)
        for began, image in self._due():
            connection.request("POST", "/v1/poses", image, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != http.client.OK:
                raise RuntimeError(f"{answer.status} {body.decode()}")
            self.latencies.append(time.monotonic() - began)
        connection.close()

    async def _grpc(self) -> None:
        async with grpc.aio.insecure_channel(self.address) as channel:
            stub: PoseServiceStub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated

            async def call() -> None:
                for began, image in self._due():
                    await stub.Estimate(pb.EstimateRequest(image=image))
                    self.latencies.append(time.monotonic() - began)

            await asyncio.gather(*(call() for _ in range(self.concurrency)))

    async def _grpc_stream(self) -> None:
        """One stream with so many frames under way; an answer lets the next frame go."""
        room = asyncio.Semaphore(self.concurrency)

        async def frames() -> AsyncIterator[pb.EstimateStreamRequest]:
            await room.acquire()
            for began, image in self._due():
                yield pb.EstimateStreamRequest(
                    frame_id=repr(began), request=pb.EstimateRequest(image=image)
                )
                await room.acquire()

        async with grpc.aio.insecure_channel(self.address) as channel:
            stub: PoseServiceStub = PoseServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            async for answer in stub.EstimateStream(frames()):
                if answer.HasField("error"):
                    raise RuntimeError(answer.error.message)
                self.latencies.append(time.monotonic() - float(answer.frame_id))
                room.release()

    def _due(self) -> Iterator[tuple[float, bytes]]:
        while (now := time.monotonic()) < self.ends:
            yield now, next(self.images)


def main() -> None:
    """Reads the arguments that `service.bench.remote` gives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=["http", "grpc", "grpc_stream"])
    parser.add_argument("address")
    parser.add_argument("images", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("concurrency", type=int)
    asked = parser.parse_args()
    images = itertools.cycle(read_pictures(asked.images).values())
    began = time.monotonic()
    caller = Caller(asked.address, images, began + asked.seconds, asked.concurrency)
    getattr(caller, asked.protocol)()
    json.dump([caller.latencies, time.monotonic() - began], sys.stdout)


if __name__ == "__main__":
    main()
