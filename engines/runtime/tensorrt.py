"""Networks on a GPU, built by TensorRT or TensorRT-RTX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.catalog import Network
from engines.plan import PlanError
from engines.precision import Precision
from engines.profile import Profile
from engines.runtime.cuda import CudaLanes, DeviceMemory
from engines.runtime.engine import Batch, Maps, Pending
from engines.runtime.pipeline import Pipeline, Shape, clear_memory_error
from engines.trt import TensorRT


class TensorRtEngine:
    """A plan, as `engines.plan.build_plan` makes it.

    Args:
        plan: the file or its content.
        about: its outputs and pixels.
        tensorrt: that built it.
        profile: the inputs it was built for.
        device: "cuda:0" and so on.
        precision: that it was built in.
        max_batch: the most inputs a call takes; that of the profile if None.
        ahead: batches that may be started while one runs.
        graphs: the most CUDA graphs that are kept; 0 for none.
        memory: of the GPU, which the plan's weights are counted in; what is allocated while
            batches run is torch's, and counted anyway.

    Raises:
        PlanError: TensorRT does not take the plan, or it is of another network.
        MemoryError: the GPU has no room for it; also of `start`, `infer` and `warm`.
    """

    name = "tensorrt"

    def __init__(
        self,
        plan: bytes | Path,
        about: Network,
        *,
        tensorrt: TensorRT,
        profile: Profile,
        device: str = "cuda:0",
        precision: Precision = "fp16",
        max_batch: int | None = None,
        ahead: int = 1,
        graphs: int = 32,
        memory: DeviceMemory | None = None,
    ) -> None:
        self.device, self.precision, self.ahead = device, precision, ahead
        self.max_batch = max_batch or profile.batch[2]
        self._profile, self._memory = profile, memory
        content = plan.read_bytes() if isinstance(plan, Path) else plan
        self._weights = len(content)
        if memory is not None:
            memory.take(self._weights)
        lanes = CudaLanes(torch.device(device))
        try:
            with clear_memory_error(lanes.device, about.name):
                launch, _ = lanes.queue(
                    "run", lambda: _Launch(_Opened.of(content, about, tensorrt, lanes.device))
                )
        except BaseException:
            self._give_back()
            raise
        dtype = torch.float32 if about.pixels is None else torch.uint8
        names = tuple(about.outputs)
        self._pipeline = Pipeline(launch, lanes, names, dtype, ahead=ahead, graphs=graphs)

    def infer(self, batch: Batch) -> Maps:
        """Runs (N, h, w, 3) uint8 pictures, or arrays; the maps are the caller's."""
        return self.start(batch)()

    def start(self, batch: Batch) -> Pending:
        """Queues a batch. Its answer waits for no later batch.

        Raises:
            OutsideProfileError: the plan was not built for its shape.
        """
        self._profile.require(batch.shape)
        return self._pipeline.start(batch)

    def warm(self, shapes: Iterable[Shape]) -> None:
        """Captures the computation of batches of these shapes, and runs each of them once.

        Raises:
            OutsideProfileError: the plan was not built for one of them.
        """
        shapes = tuple(shapes)
        for shape in shapes:
            self._profile.require(shape)
        self._pipeline.warm(shapes)

    def close(self) -> None:
        self._pipeline.close()
        del self._pipeline
        self._give_back()

    def _give_back(self) -> None:
        if self._memory is not None:
            self._memory.give_back(self._weights)


def deserialise(content: bytes, tensorrt: TensorRT) -> Any:
    """TensorRT's engine of a plan, on the current GPU.

    Raises:
        PlanError
    """
    tensorrt.logger.errors.clear()
    try:
        engine = tensorrt.module.Runtime(tensorrt.logger).deserialize_cuda_engine(content)
    except (TypeError, RuntimeError) as error:  # TypeError: what it makes of a null pointer
        raise PlanError(f"{tensorrt} runs nothing here: {_said(tensorrt)}") from error
    if engine is None:
        raise PlanError(f"{tensorrt} does not take the plan: {_said(tensorrt)}")
    return engine


@dataclass(frozen=True, slots=True)
class _Opened:
    """What all contexts of a plan share.

    Attributes:
        engine: TensorRT's.
        input, outputs: names of its tensors, the outputs in the order of ours.
        device: the GPU.
        memory: that the contexts compute in. As all of them compute on one stream, one at a time
            does, and one memory is enough.
    """

    tensorrt: TensorRT
    engine: Any
    input: str
    outputs: tuple[str, ...]
    device: torch.device
    memory: Tensor

    @classmethod
    def of(
        cls, content: bytes, about: Network, tensorrt: TensorRT, device: torch.device
    ) -> _Opened:
        engine = deserialise(content, tensorrt)
        names = [engine.get_tensor_name(at) for at in range(engine.num_io_tensors)]
        is_input = tensorrt.module.TensorIOMode.INPUT
        inputs = [name for name in names if engine.get_tensor_mode(name) == is_input]
        outputs = _bound([name for name in names if name not in inputs], about.outputs)
        if len(inputs) != 1 or outputs is None:
            raise PlanError(
                f"the plan has {', '.join(names)}, not one input and the outputs "
                f"{', '.join(about.outputs.values())} of {about.name}"
            )
        size = max(engine.device_memory_size_v2, 1)
        memory = torch.empty(size, dtype=torch.uint8, device=device)
        return cls(tensorrt, engine, inputs[0], outputs, device, memory)

    def context(self, *, fixed: bool) -> Any:
        """A context of the shared memory; a `fixed` one is used for a single shape.

        RTX compiles kernels for a shape beside the run that first has it. What is captured must
        be those kernels, and not what runs until they are there.
        """
        module = self.tensorrt.module
        allocation = module.ExecutionContextAllocationStrategy.USER_MANAGED
        if self.tensorrt.is_rtx:
            kinds = module.DynamicShapesKernelSpecializationStrategy
            config = self.engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(allocation)
            config.dynamic_shapes_kernel_specialization_strategy = (
                kinds.EAGER if fixed else kinds.LAZY
            )
            context = self.engine.create_execution_context(config)
        else:
            context = self.engine.create_execution_context(allocation)
        if context is None:
            raise PlanError(f"{self.tensorrt} does not run the plan: {_said(self.tensorrt)}")
        context.set_device_memory(self.memory.data_ptr(), self.memory.numel())
        context.set_optimization_profile_async(0, _stream())
        return context


class _Launch:
    """A context of a plan, as `engines.runtime.pipeline.Launch`.

    A CUDA graph holds the addresses and the shapes that its context had when it was captured,
    so that each graph has a context of its own, which keeps its outputs: NVIDIA advises so in
    TensorRT's guide to performance. All other batches share one context, whose addresses and
    shapes are set for each batch.
    """

    def __init__(self, opened: _Opened, shape: Shape | None = None) -> None:
        self._opened = opened
        self._context = opened.context(fixed=shape is not None)
        self._made: list[Tensor] | None = None
        if shape is not None:
            self._shape(shape)
            self._made = self._room()

    def __call__(self, given: Tensor) -> Sequence[Tensor]:
        opened, context = self._opened, self._context
        self._shape(tuple(given.shape))
        made = self._made or self._room()
        context.set_tensor_address(opened.input, given.data_ptr())
        for name, one in zip(opened.outputs, made, strict=True):
            context.set_tensor_address(name, one.data_ptr())
        if not context.execute_async_v3(_stream()):
            raise RuntimeError(f"{opened.tensorrt} does not run a batch: {_said(opened.tensorrt)}")
        return made

    def fixed(self, shape: Shape) -> _Launch | None:
        launch = _Launch(self._opened, shape)
        if self._opened.tensorrt.is_rtx and not launch._context.is_stream_capturable(_stream()):
            return None
        return launch

    def _shape(self, shape: Shape) -> None:
        if not self._context.set_input_shape(self._opened.input, shape):
            tensorrt = self._opened.tensorrt
            raise RuntimeError(f"{tensorrt} does not take the shape {shape}: {_said(tensorrt)}")

    def _room(self) -> list[Tensor]:
        """For the outputs of a batch of the shape that is set."""
        shapes = [tuple(self._context.get_tensor_shape(name)) for name in self._opened.outputs]
        return [
            torch.empty(shape, dtype=torch.float32, device=self._opened.device) for shape in shapes
        ]


def _bound(names: Sequence[str], outputs: Mapping[str, str]) -> tuple[str, ...] | None:
    """The names of tensors in the order of our outputs; an only one may have any name."""
    if len(names) == len(outputs) == 1:
        return tuple(names)
    return tuple(outputs.values()) if set(names) == set(outputs.values()) else None


def _stream() -> int:
    """The current stream, as TensorRT takes it."""
    return torch.cuda.current_stream().cuda_stream


def _said(tensorrt: TensorRT) -> str:
    return "; ".join(dict.fromkeys(tensorrt.logger.errors)) or "it says nothing"
