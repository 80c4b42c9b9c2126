"""gRPC methods, thin: messages in and out. Everything else is the estimator's."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from functools import partial

from service import formats
from service.boxes import check_boxes
from service.core import Core
from service.errors import BadParameterError, OverloadedError, ServiceError
from service.estimate import Estimate, Query
from service.pb import pose_pb2 as pb
from service.pb import pose_pb2_grpc
from service.rpc.call import Context, abort, deadline_of
from service.rpc.stream import Newest, answered
from service.telemetry.tracing import part

_LIVE_WINDOW = 2  # one is prepared while the engine has the other


class PoseService(pose_pb2_grpc.PoseServiceServicer):
    """`pose.v1.PoseService`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._streams = 0
        core.metrics.streams.set_function(lambda: self._streams)

    async def Estimate(  # noqa: N802 - gRPC's naming
        self, request: pb.EstimateRequest, context: Context
    ) -> pb.EstimateResponse:
        try:
            return await self._estimate(request, context, "grpc")
        except ServiceError as error:
            await abort(context, error)

    async def EstimateStream(  # noqa: N802 - gRPC's naming
        self, frames: AsyncIterator[pb.EstimateStreamRequest], context: Context
    ) -> AsyncIterator[pb.EstimateStreamResponse]:
        """Answers frames in order; see `StreamOptions`."""
        try:
            with self._open_stream():
                async with aclosing(self._answers(frames, context)) as answers:
                    async for answer in answers:
                        yield answer
        except ServiceError as error:
            await abort(context, error)

    async def ListModels(  # noqa: N802 - gRPC's naming
        self, _: pb.ListModelsRequest, context: Context
    ) -> pb.ListModelsResponse:
        try:
            models = self._core.registry.served_models()
        except ServiceError as error:
            await abort(context, error)
        return pb.ListModelsResponse(
            models=[
                pb.Model(
                    **info.model_dump(exclude={"limbs"}),
                    limbs=[pb.Limb(first=first, second=second) for first, second in info.limbs],
                )
                for info in formats.model_infos(models)
            ]
        )

    @contextmanager
    def _open_stream(self) -> Iterator[None]:
        core, most = self._core, self._core.settings.max_streams
        with core.metrics.shedding():
            core.admission.check(0)
            if self._streams >= most:
                raise OverloadedError(
                    f"{most} streams are open, and no more may be: try again once one has ended.",
                    retry_after=1,
                )
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    async def _answers(
        self, frames: AsyncIterator[pb.EstimateStreamRequest], context: Context
    ) -> AsyncGenerator[pb.EstimateStreamResponse, None]:
        if (first := await anext(frames, None)) is None:
            return
        options, dropped = first.options, 0

        def drop() -> None:
            nonlocal dropped
            dropped += 1
            self._core.metrics.frames_dropped.inc()

        every = _from(first, frames)
        newest = Newest(every, drop) if options.newest_wins else None
        answer = partial(self._frame, context)
        try:
            async with aclosing(answered(newest or every, answer, self._window(options))) as given:
                async for one in given:
                    one.dropped = dropped
                    yield one
        finally:
            if newest:
                newest.close()

    def _window(self, options: pb.StreamOptions) -> int:
        most = self._core.window
        return min(options.window or (_LIVE_WINDOW if options.newest_wins else most), most)

    async def _frame(
        self, context: Context, frame: pb.EstimateStreamRequest
    ) -> pb.EstimateStreamResponse:
        answer = pb.EstimateStreamResponse(frame_id=frame.frame_id)
        with part("frame"):
            try:
                answer.result.CopyFrom(await self._estimate(frame.request, context, "grpc_stream"))
            except ServiceError as error:
                answer.error.code, answer.error.message = error.code, error.message
        return answer

    async def _estimate(
        self, request: pb.EstimateRequest, context: Context, protocol: str
    ) -> pb.EstimateResponse:
        with self._core.metrics.request(protocol, self._core.registry.label(request.model)):
            estimate = await self._core.estimator.estimate(
                request.image, self._query(request, context)
            )
            with self._core.metrics.encoding(estimate.entry.name):
                return to_message(estimate)

    def _query(self, request: pb.EstimateRequest, context: Context) -> Query:
        if not 0 <= request.min_score <= 1:
            raise BadParameterError(f"min_score is {request.min_score:g}: it goes from 0 to 1.")
        max_people = request.max_people if request.HasField("max_people") else None
        if max_people == 0:
            raise BadParameterError("max_people is 0: ask for at least one, or leave it out.")
        boxes = [(box.x, box.y, box.width, box.height) for box in request.boxes]
        return Query(
            request.model,
            deadline_of(context, self._core.settings),
            request.min_score,
            max_people,
            boxes=check_boxes(boxes, self._core.settings.max_boxes) if boxes else None,
            detector=request.detector,
        )


async def _from(
    first: pb.EstimateStreamRequest, others: AsyncIterator[pb.EstimateStreamRequest]
) -> AsyncIterator[pb.EstimateStreamRequest]:
    yield first
    async for frame in others:
        yield frame


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
