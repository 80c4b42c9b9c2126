"""A caller of one gRPC stream after the other: frames go when they are due, answers in order."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from typing import Any

import grpc

from service.pb import pose_pb2 as pb
from tests.load.replies import LEFT, Reply

_STREAM = "/pose.v1.PoseService/EstimateStream"


class StreamCaller:
    """Sends each request as a frame of a stream that stays open.

    A caller who leaves takes all of the stream's frames with it; the next frame opens a stream.
    """

    protocol = "grpc_stream"

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address)
        self._open: Any = self._channel.stream_stream(
            _STREAM,
            request_serializer=pb.EstimateStreamRequest.SerializeToString,
            response_deserializer=pb.EstimateStreamResponse.FromString,
        )
        self._stream: _Stream | None = None
        self._ids = itertools.count()
        self.extra = 0  # answers that nobody asked for, or out of order

    def prepare(self, image: bytes) -> bytes:
        """The request that sends an image, to be sent as often as wanted."""
        return image

    async def call(self, request: bytes, patience: float | None = None) -> Reply:
        """Sends a frame; a caller with `patience` leaves after so many seconds."""
        if self._stream is None or self._stream.ended:
            self._stream = _Stream(self, self._open())
        stream = self._stream
        answer = await stream.send(str(next(self._ids)), request)
        if patience is not None:
            await asyncio.wait({answer}, timeout=patience)
            if not answer.done():
                stream.leave()
        return await answer

    async def close(self) -> None:
        """Ends the stream, and the channel with it."""
        if self._stream is not None:
            self._stream.leave()
            await self._stream.reader
        await self._channel.close()


class _Stream:
    def __init__(self, caller: StreamCaller, call: Any) -> None:
        self.ended = False
        self.reader = asyncio.create_task(self._read())
        self._caller = caller
        self._call = call
        self._turn = asyncio.Lock()  # of writing
        self._waiting: deque[tuple[str, asyncio.Future[Reply]]] = deque()

    async def send(self, frame_id: str, image: bytes) -> asyncio.Future[Reply]:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        async with self._turn:
            if self.ended:
                answer.set_result(Reply(LEFT))
                return answer
            self._waiting.append((frame_id, answer))
            try:
                await self._call.write(
                    pb.EstimateStreamRequest(
                        frame_id=frame_id, request=pb.EstimateRequest(image=image)
                    )
                )
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, asyncio.CancelledError):
                self.ended = True  # the reader tells why
        return answer

    def leave(self) -> None:
        self.ended = True
        self._call.cancel()

    async def _read(self) -> None:
        left = Reply(LEFT)
        try:
            while (message := await self._call.read()) is not grpc.aio.EOF:
                self._settle(message)
        except grpc.aio.AioRpcError as error:
            left = Reply(
                error.code().name, dict(error.trailing_metadata()).get("posewire-code", "")
            )
        except asyncio.CancelledError:
            if not self.ended:
                raise
        finally:
            self.ended = True
            for _, answer in self._waiting:
                answer.set_result(left)

    def _settle(self, message: pb.EstimateStreamResponse) -> None:
        if not self._waiting or self._waiting[0][0] != message.frame_id:
            self._caller.extra += 1
            return
        _, answer = self._waiting.popleft()
        if message.HasField("error"):
            answer.set_result(Reply("ERROR", message.error.code, again=True))
        else:
            answer.set_result(Reply("OK", body=message.result.SerializeToString()))
