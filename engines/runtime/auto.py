"""Picks what runs a model: TensorRT, else PyTorch on CUDA, else OpenVINO; and says why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from engines.catalog import Entry
from engines.precision import Precision
from engines.runtime.gpus import Gpu
from engines.runtime.options import BACKENDS, Backend, EngineOptions

_HALF: Precision = "fp16"  # of a GPU, unless another is asked for
_BFLOAT16_SINCE = (8, 0)  # compute capability


class EngineError(Exception):
    """No engine runs a model as asked for; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Available:
    """What this machine has.

    Attributes:
        gpus: those that may be used.
        no_gpus: why there is none.
        bfloat16: whether the processor computes in it.
        absent: by back-end, why it is not to be had.
        builds_without_gpu: whether TensorRT's kind does.
    """

    gpus: tuple[Gpu, ...] = ()
    no_gpus: str = "no NVIDIA GPU"
    bfloat16: bool = False
    absent: Mapping[str, str] = field(default_factory=dict)
    builds_without_gpu: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What runs a model.

    Attributes:
        entry: of the catalogue, with the graphs that this back-end is given.
        backend, precision: of all its networks.
        gpus: that run them; none for the processor.
        why: in words, for who operates it.
    """

    entry: Entry
    backend: Backend
    precision: Precision
    gpus: tuple[Gpu, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to be run, as far as the choice depends on it.

    Attributes:
        entry: of the catalogue.
        checkpoint: whether the authors' checkpoint is at hand.
        elsewhere: whether it is only built here, to run on another machine.
    """

    entry: Entry
    checkpoint: bool
    elsewhere: bool = False


def choose(model: Candidate, available: Available, options: EngineOptions) -> Choice:
    """What runs a model.

    Raises:
        EngineError: nothing can run it as asked for; says why of each back-end.
    """
    reasons: dict[str, str] = {}
    for backend in (options.backend,) if options.backend else BACKENDS:
        entry = _given(backend, model.entry, options)
        given = replace(model, entry=entry)
        why_not = next(_hindrances(backend, given, available, options), None)
        if why_not is None:
            precision = _precision(backend, entry, options)
            gpus = () if backend == "openvino" else available.gpus
            why = _why(entry, precision, options, reasons)
            return Choice(entry, backend, precision, gpus, why)
        reasons[backend] = why_not
    raise EngineError(f"no engine runs {model.entry.name} as asked for: {_listed(reasons)}")


def _given(backend: Backend, entry: Entry, options: EngineOptions) -> Entry:
    """With float32 graphs, where there are any, for GPUs and for another precision than that which
    a processor runs as it is published."""
    as_published = backend == "openvino" and options.precision in {None, entry.precision}
    return entry if as_published else entry.exact


def _why(
    entry: Entry, precision: Precision, options: EngineOptions, reasons: Mapping[str, str]
) -> str:
    why = "as asked for" if options.backend else _listed(reasons) or "the fastest there is"
    if options.precision not in {None, precision}:
        return f"{why}; not {options.precision} (it is published in {entry.precision})"
    return why


def _listed(reasons: Mapping[str, str]) -> str:
    """Each reason once, with the back-ends that it is of."""
    return "; ".join(
        f"not {' or '.join(of for of in reasons if reasons[of] == reason)} ({reason})"
        for reason in dict.fromkeys(reasons.values())
    )


def _precision(backend: Backend, entry: Entry, options: EngineOptions) -> Precision:
    """On a CPU a network is as it was published unless asked otherwise: a checkpoint gives its
    authors' numbers. A GPU's half precision is compared with those before it is used."""
    if entry.precision == "int8":
        return "int8"  # its graph is
    return options.precision or (entry.precision if backend == "openvino" else _HALF)


def _hindrances(
    backend: Backend, model: Candidate, available: Available, options: EngineOptions
) -> Iterator[str]:
    """Why a back-end cannot run a model as asked for."""
    entry, precision = model.entry, _precision(backend, model.entry, options)
    if backend == "openvino":
        if precision == "fp16":
            yield "a processor has no fp16: choose bf16, int8 or fp32"
        if precision == "bf16" and not available.bfloat16:
            yield "this processor has no bfloat16: choose int8 or fp32"
        return
    builds_only = backend == "tensorrt" and model.elsewhere and available.builds_without_gpu
    if not available.gpus and not builds_only:
        yield available.no_gpus
    if backend in available.absent:
        yield available.absent[backend]
    if precision == "bf16" and any(gpu.capability < _BFLOAT16_SINCE for gpu in available.gpus):
        yield "a GPU here has no bfloat16: choose fp16 or fp32"
    if backend == "tensorrt" and not _is_onnx(entry):
        yield f"{entry.name} is published for OpenVINO alone"
    if backend == "torch" and not model.checkpoint:
        yield f"no checkpoint of {entry.name} was imported"
    if backend == "torch" and precision == "int8":
        yield "it has no int8: choose fp16, bf16 or fp32"


def _is_onnx(entry: Entry) -> bool:
    return all(network.graph.endswith(".onnx") for network in entry.networks.values())
