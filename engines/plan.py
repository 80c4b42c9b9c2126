"""ONNX graphs to TensorRT plans."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.profile import Profile
from engines.trt import Progress, TensorRT, monitor
from engines.weights import atomically

# What TensorRT-RTX builds for where there is no GPU. Turing's 7.5 would slow down the others, and
# knows no bfloat16 and, in RTX, no matrix products of float32: it has to be asked for.
PORTABLE = ("8.0", "8.6", "8.9", "12.0")
CURRENT = ("current",)  # the GPU of this machine
_TYPES = {"FLOAT": "float32", "HALF": "float16", "BF16": "bfloat16"}  # theirs that are not NumPy's
Shape = tuple[int, ...]


class PlanError(Exception):
    """TensorRT does not take a graph or profile, or could not build a plan; says why."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output of a network.

    Attributes:
        dtype: as NumPy names it.
        shape: -1 for what is free.
    """

    name: str
    dtype: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Interface:
    """What a plan takes and gives.

    Attributes:
        profile: the least, usual and largest shape of the input.
    """

    input: Tensor
    outputs: tuple[Tensor, ...]
    profile: tuple[Shape, Shape, Shape]


@dataclass(frozen=True, slots=True)
class Draft:
    """A graph as TensorRT reads it, checked, and how it is built.

    Attributes:
        parser: owns the network's weights, and so is kept.
    """

    tensorrt: TensorRT
    builder: Any
    network: Any
    parser: Any
    config: Any
    interface: Interface


def build_plan(
    graph: bytes,
    profile: Profile,
    *,
    outputs: Collection[str],
    tensorrt: TensorRT,
    timing_cache: Path | None = None,
    workspace: int | None = None,
    capabilities: Sequence[str] = CURRENT,
    progress: Progress | None = None,
) -> bytes:
    """Builds a graph for the current GPU, or with TensorRT-RTX for others without one.

    Args:
        graph: an ONNX model with its weights; every tensor is computed in the type it says.
        profile: the inputs it is built for.
        outputs: names of the graph's outputs; an only one may have any.
        tensorrt: builds it.
        timing_cache: the file in which TensorRT keeps what it measures of kernels on this kind
            of GPU, so that later builds take less; TensorRT-RTX measures nothing.
        workspace: the most bytes of the GPU's memory that a layer may take beside its tensors.
        capabilities: compute capabilities, "8.9" each, that TensorRT-RTX builds for.
        progress: told how far the build is. What it raises ends the build and is raised here.

    Raises:
        PlanError
    """
    read = draft(graph, profile, outputs=outputs, tensorrt=tensorrt)
    config, module = read.config, tensorrt.module
    if workspace is not None:
        config.set_memory_pool_limit(module.MemoryPoolType.WORKSPACE, workspace)
    if tensorrt.is_rtx:
        _aim(config, tensorrt, capabilities)
        timing_cache = None  # no-ops there, which warn
    watch = monitor(module, progress) if progress else None
    if watch is not None:
        config.progress_monitor = watch
    timings = _read_timings(config, timing_cache) if timing_cache else None
    plan = read.builder.build_serialized_network(read.network, config)
    if watch is not None and watch.raised is not None:
        raise watch.raised
    if plan is None:
        raise PlanError(f"{tensorrt} could not build the graph: {_errors(tensorrt)}")
    if timing_cache and timings is not None:
        with atomically(timing_cache) as out:
            out.write(timings.serialize())
    return bytes(plan)


def draft(graph: bytes, profile: Profile, *, outputs: Collection[str], tensorrt: TensorRT) -> Draft:
    """Reads a graph and checks that it is as engines bind it: by name, of uint8 pictures, or of
    float32 arrays where the profile has no sizes, to float32.

    Raises:
        PlanError
    """
    module, logger = tensorrt.module, tensorrt.logger
    logger.errors.clear()
    try:
        builder = module.Builder(logger)
    except TypeError as error:  # what the module makes of a null pointer
        raise PlanError(f"{tensorrt} builds nothing here: {_errors(tensorrt)}") from error
    network = builder.create_network(_strongly_typed(module))
    parser = module.OnnxParser(network, logger)
    if not parser.parse(graph):
        raise PlanError(f"{tensorrt} cannot read the graph: {_refused(parser)}")
    taken = [_tensor(network.get_input(at)) for at in range(network.num_inputs)]
    made = tuple(_tensor(network.get_output(at)) for at in range(network.num_outputs))
    _check(taken, made, profile, outputs)
    config = builder.create_builder_config()
    config.clear_flag(module.BuilderFlag.TF32)  # float32 is float32
    shapes = _set_profile(tensorrt, builder, config, taken[0], profile)
    return Draft(tensorrt, builder, network, parser, config, Interface(taken[0], made, shapes))


def _strongly_typed(module: Any) -> int:
    """Flags of a network whose types are the graph's: the only kind from TensorRT 11 on, which
    may forget the flag."""
    flag = getattr(module.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return 0 if flag is None else 1 << int(flag)


def _tensor(tensor: Any) -> Tensor:
    kind = tensor.dtype.name
    return Tensor(tensor.name, _TYPES.get(kind, kind.lower()), tuple(tensor.shape))


def _check(
    taken: Sequence[Tensor], made: Sequence[Tensor], profile: Profile, outputs: Collection[str]
) -> None:
    """That a network has the tensors that engines bind."""
    if len(taken) != 1:
        raise PlanError(f"the graph has {len(taken)} inputs, not one: {_names(taken)}")
    wanted = "float32" if profile.sizes is None else "uint8"
    if taken[0].dtype != wanted:
        raise PlanError(f"the graph's input {taken[0].name} is {taken[0].dtype}, not {wanted}")
    if not len(outputs) == len(made) == 1 and set(outputs) != {tensor.name for tensor in made}:
        raise PlanError(f"the graph gives {_names(made)}, not {', '.join(outputs)}")
    for tensor in made:
        if tensor.dtype != "float32":
            raise PlanError(f"the graph's output {tensor.name} is {tensor.dtype}, not float32")


def _names(tensors: Sequence[Tensor]) -> str:
    return ", ".join(tensor.name for tensor in tensors)


def _set_profile(
    tensorrt: TensorRT, builder: Any, config: Any, given: Tensor, profile: Profile
) -> tuple[Shape, Shape, Shape]:
    """The shapes of the input that the network is built for."""
    sizes = profile.sizes or (given.shape[1:3],) * 3
    shapes = [(n, *size, *given.shape[3:]) for n, size in zip(profile.batch, sizes, strict=True)]
    for shape in shapes:
        if any(own not in {-1, side} for own, side in zip(given.shape, shape, strict=True)):
            raise PlanError(
                f"the graph's input {given.name} is {list(given.shape)}, with -1 for what is free: "
                f"the profile asks for {list(shape)}"
            )
    asked = builder.create_optimization_profile()
    asked.set_shape(given.name, *shapes)
    if config.add_optimization_profile(asked) < 0:
        raise PlanError(f"{tensorrt} does not take the profile {shapes}: {_errors(tensorrt)}")
    least, usual, largest = (tuple(shape) for shape in asked.get_shape(given.name))
    return least, usual, largest


def _aim(config: Any, tensorrt: TensorRT, capabilities: Sequence[str]) -> None:
    """Sets the GPUs that TensorRT-RTX builds for."""
    if tuple(capabilities) == CURRENT:
        targets = [tensorrt.module.ComputeCapability.CURRENT]
    else:
        if refusal := next(filter(None, map(tensorrt.refusal, capabilities)), None):
            raise PlanError(refusal)
        targets = [tensorrt.target(capability) for capability in capabilities]
    config.set_flag(tensorrt.module.BuilderFlag.REQUIRE_USER_ALLOCATION)  # CUDA graphs need it
    config.num_compute_capabilities = len(targets)
    for at, target in enumerate(targets):
        if not config.set_compute_capability(target, at):
            raise PlanError(f"{tensorrt} does not build for {', '.join(capabilities)} together")


def _read_timings(config: Any, path: Path) -> Any:
    """The timing cache that the build uses and fills; one of another GPU or version is left."""
    stored = path.read_bytes() if path.is_file() else b""
    for content in (stored, b""):
        timings = config.create_timing_cache(content)
        if timings is not None and config.set_timing_cache(timings, ignore_mismatch=False):
            return timings
    return None


def _refused(parser: Any) -> str:
    """What a parser did not take, node by node."""
    errors = [parser.get_error(at) for at in range(parser.num_errors)]
    return "; ".join(_of_node(error) for error in errors) or "it says nothing"


def _of_node(error: Any) -> str:
    node = f"{error.node_operator()} {error.node_name()!r}: " if error.node_operator() else ""
    return f"{node}{error.desc()}"


def _errors(tensorrt: TensorRT) -> str:
    return "; ".join(dict.fromkeys(tensorrt.logger.errors)) or "it says nothing"
