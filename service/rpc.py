"""gRPC methods, thin: messages in and out. Everything else is the estimator's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc

from service import formats
from service.boxes import check_boxes
from service.core import Core
from service.errors import BadParameterError, OverloadedError, ServiceError
from service.estimate import Estimate, Query
from service.pb import pose_pb2 as pb
from service.pb import pose_pb2_grpc

_Context = grpc.aio.ServicerContext[Any, Any]


class PoseService(pose_pb2_grpc.PoseServiceServicer):
    """`pose.v1.PoseService`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def Estimate(  # noqa: N802 - gRPC's naming
        self, request: pb.EstimateRequest, context: _Context
    ) -> pb.EstimateResponse:
        try:
            return await self._estimate(request, context, "grpc")
        except ServiceError as error:
            await _abort(context, error)

    async def EstimateStream(  # noqa: N802 - gRPC's naming
        self, frames: AsyncIterator[pb.EstimateStreamRequest], context: _Context
    ) -> AsyncIterator[pb.EstimateStreamResponse]:
        """Keeps a window of frames in the system and answers them in order.

        While the window is full no further frame is read, so that the sender is slowed down.
        """
        window: asyncio.Queue[asyncio.Task[pb.EstimateStreamResponse] | None] = asyncio.Queue()
        room = asyncio.Semaphore(self._core.settings.stream_window)

        async def read() -> None:
            try:
                async for frame in frames:
                    await room.acquire()
                    window.put_nowait(asyncio.create_task(self._frame(frame, context)))
            finally:
                window.put_nowait(None)

        reader = asyncio.create_task(read())
        try:
            while (task := await window.get()) is not None:
                answer = await task
                room.release()
                yield answer
            await reader
        finally:
            reader.cancel()
            while not window.empty():
                if (task := window.get_nowait()) is not None:
                    task.cancel()

    async def ListModels(  # noqa: N802 - gRPC's naming
        self, _: pb.ListModelsRequest, context: _Context
    ) -> pb.ListModelsResponse:
        try:
            models = self._core.registry.served_models()
        except ServiceError as error:
            await _abort(context, error)
        return pb.ListModelsResponse(
            models=[
                pb.Model(
                    **info.model_dump(exclude={"limbs"}),
                    limbs=[pb.Limb(first=first, second=second) for first, second in info.limbs],
                )
                for info in formats.model_infos(models)
            ]
        )

    async def _frame(
        self, frame: pb.EstimateStreamRequest, context: _Context
    ) -> pb.EstimateStreamResponse:
        answer = pb.EstimateStreamResponse(frame_id=frame.frame_id)
        try:
            answer.result.CopyFrom(await self._estimate(frame.request, context, "grpc_stream"))
        except ServiceError as error:
            answer.error.code, answer.error.message = error.code, error.message
        return answer

    async def _estimate(
        self, request: pb.EstimateRequest, context: _Context, protocol: str
    ) -> pb.EstimateResponse:
        with self._core.metrics.request(protocol, self._core.registry.label(request.model)):
            estimate = await self._core.estimator.estimate(
                request.image, self._query(request, context)
            )
            return to_message(estimate)

    def _query(self, request: pb.EstimateRequest, context: _Context) -> Query:
        if not 0 <= request.min_score <= 1:
            raise BadParameterError(f"min_score is {request.min_score:g}: it goes from 0 to 1.")
        max_people = request.max_people if request.HasField("max_people") else None
        if max_people == 0:
            raise BadParameterError("max_people is 0: ask for at least one, or leave it out.")
        boxes = [(box.x, box.y, box.width, box.height) for box in request.boxes]
        left = context.time_remaining()
        allowed = (
            self._core.settings.timeout if left is None else min(left, self._core.settings.timeout)
        )
        return Query(
            request.model,
            time.monotonic() + allowed,
            request.min_score,
            max_people,
            boxes=check_boxes(boxes, self._core.settings.max_boxes) if boxes else None,
            detector=request.detector,
        )


def to_message(estimate: Estimate) -> pb.EstimateResponse:
    """The people of an image as protobuf."""
    people = estimate.people
    return pb.EstimateResponse(
        model=estimate.entry.name,
        skeleton=estimate.entry.skeleton.name,
        width=estimate.width,
        height=estimate.height,
        people=[
            pb.Person(
                score=score,
                box=pb.Box(x=x, y=y, width=width, height=height),
                keypoints=[pb.Keypoint(x=x, y=y, score=seen) for x, y, seen in keypoints],
            )
            for score, (x, y, width, height), keypoints in zip(
                people.scores.tolist(),
                people.boxes.tolist(),
                people.keypoints.tolist(),
                strict=True,
            )
        ],
        timings_ms=estimate.timings_ms,
    )


async def _abort(context: _Context, error: ServiceError) -> NoReturn:
    trailer: tuple[tuple[str, str], ...] = (("posewire-code", error.code),)
    if isinstance(error, OverloadedError):
        trailer += (("grpc-retry-pushback-ms", str(error.retry_after * 1000)),)
    await context.abort(error.grpc_status, error.message, trailer)
    raise error  # abort has raised already
