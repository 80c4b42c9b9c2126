"""The protocol over gRPC."""

from __future__ import annotations

from service.core import Core
from service.errors import BadParameterError, ServiceError
from service.kserve import models
from service.kserve.inference import Asked, infer
from service.kserve.schemas import Parameters, checked
from service.kserve.tensors import IMAGE, Tensor, check_image, unpack
from service.pb import inference_pb2 as pb
from service.pb import inference_pb2_grpc
from service.rpc.call import Context, abort, deadline_of


class InferenceService(inference_pb2_grpc.GRPCInferenceServiceServicer):
    """`inference.GRPCInferenceService`. What else Triton has is UNIMPLEMENTED."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def ServerLive(  # noqa: N802 - gRPC's naming
        self, _: pb.ServerLiveRequest, __: Context
    ) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    async def ServerReady(  # noqa: N802 - gRPC's naming
        self, _: pb.ServerReadyRequest, __: Context
    ) -> pb.ServerReadyResponse:
        try:
            models.check_server(self._core)
        except ServiceError:
            return pb.ServerReadyResponse(ready=False)
        return pb.ServerReadyResponse(ready=True)

    async def ModelReady(  # noqa: N802 - gRPC's naming
        self, request: pb.ModelReadyRequest, _: Context
    ) -> pb.ModelReadyResponse:
        try:
            models.check_version(request.version or models.VERSION)
            models.check_model(self._core, request.name)
        except ServiceError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    async def ServerMetadata(  # noqa: N802 - gRPC's naming
        self, _: pb.ServerMetadataRequest, __: Context
    ) -> pb.ServerMetadataResponse:
        return pb.ServerMetadataResponse(**models.server_metadata().model_dump())

    async def ModelMetadata(  # noqa: N802 - gRPC's naming
        self, request: pb.ModelMetadataRequest, context: Context
    ) -> pb.ModelMetadataResponse:
        try:
            models.check_version(request.version or models.VERSION)
            served = self._core.registry.served(request.name)
        except ServiceError as error:
            await abort(context, error)
        return pb.ModelMetadataResponse(**models.model_metadata(served.model).model_dump())

    async def ModelInfer(  # noqa: N802 - gRPC's naming
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        try:
            return await self._infer(request, context)
        except ServiceError as error:
            await abort(context, error)

    async def _infer(
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        core, name = self._core, request.model_name
        with core.metrics.request("kserve_grpc", core.registry.label(name)):
            deadline = deadline_of(context, core.settings)
            models.check_version(request.model_version or models.VERSION)
            with core.metrics.shedding():
                model = core.registry.served(name).model
            tensors = await infer(core, name, asked(request, core.settings.max_parts), deadline)
            return pb.ModelInferResponse(
                model_name=model.entry.name,
                model_version=models.VERSION,
                id=request.id,
                outputs=[_output(tensor) for tensor in tensors],
                raw_output_contents=[tensor.raw() for tensor in tensors],
            )


def asked(request: pb.ModelInferRequest, most: int) -> Asked:
    """What a request of at most so many images asks for.

    Raises:
        BadParameterError: it is not such a request.
    """
    parameters = {name: _value(value) for name, value in request.parameters.items()}
    _refuse_parameters(request)
    return Asked(
        _images(request, most),
        checked(lambda: Parameters.model_validate(parameters)),
        [output.name for output in request.outputs],
    )


def _images(request: pb.ModelInferRequest, most: int) -> list[bytes]:
    raw = request.raw_input_contents
    if len(request.inputs) != 1 or len(raw) > 1:
        raise BadParameterError(
            f"There is one input, `{IMAGE}`, with its data once: {len(request.inputs)} inputs came."
        )
    image = request.inputs[0]
    images = check_image(image.name, image.datatype, image.shape, most)
    contents = image.contents.bytes_contents
    if len(contents) != (0 if raw else images):
        raise BadParameterError(
            f"`{IMAGE}` has {len(contents)} pictures in bytes_contents: send {images} there, or "
            "all of them as raw_input_contents."
        )
    return unpack(raw[0], images) if raw else list(contents)


def _refuse_parameters(request: pb.ModelInferRequest) -> None:
    """Those of tensors, such as shared memory: there is none that means anything here."""
    for tensor in (*request.inputs, *request.outputs):
        if tensor.parameters:
            named = ", ".join(sorted(tensor.parameters))
            raise BadParameterError(f"{tensor.name!r} has parameters: leave out {named}.")


def _value(parameter: pb.InferParameter) -> object:
    choice = parameter.WhichOneof("parameter_choice")
    return getattr(parameter, choice) if choice else None


def _output(tensor: Tensor) -> pb.ModelInferResponse.InferOutputTensor:
    return pb.ModelInferResponse.InferOutputTensor(
        name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
    )
