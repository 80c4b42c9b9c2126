"""The engines that this machine offers for a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from engines.build import find_or_build
from engines.building.maker import Order
from engines.building.makers import makers
from engines.options import Options
from engines.precision import PRECISIONS, Precision
from engines.runtime.auto import Candidate, EngineError, choose
from engines.runtime.available import available
from engines.runtime.engine import Engine
from engines.runtime.gpus import Gpu
from engines.runtime.options import Backend, EngineOptions
from engines.weights import Store
from service.bench.cases import Case
from service.bench.machine import cores

_OF_PROCESSOR: tuple[Precision, ...] = ("fp32", "bf16", "int8")
_OF_GPU: tuple[Precision, ...] = ("fp16", "bf16", "int8")


@dataclass(frozen=True, slots=True)
class Machine:
    """What is measured on.

    Attributes:
        gpu: the first that may be used; None for the processor.
        threads: of the processor.
        precisions: of the engines.
        wanted: how they run.
    """

    gpu: Gpu | None
    threads: int
    precisions: tuple[Precision, ...]
    wanted: EngineOptions

    @property
    def device(self) -> str:
        """As torch calls it."""
        return self.gpu.device if self.gpu else "cpu"

    @property
    def backends(self) -> tuple[Backend, ...]:
        if self.wanted.backend:
            return (self.wanted.backend,)
        return ("tensorrt", "torch") if self.gpu else ("openvino",)


def this_machine(wanted: EngineOptions, precisions: str | None) -> Machine:
    """The first GPU that may be used, unless an engine of the processor is wanted; else that.

    Args:
        wanted: how engines run.
        precisions: theirs, separated by commas; the usual ones if None.

    Raises:
        ValueError: there is no such precision.
    """
    found = available(wanted).gpus if wanted.backend != "openvino" else ()
    usual = _OF_GPU if found else _OF_PROCESSOR
    asked = {name.strip() for name in precisions.split(",")} if precisions else set(usual)
    if unknown := asked - set(PRECISIONS):
        raise ValueError(f"--precisions {min(unknown)}: choose of {', '.join(PRECISIONS)}")
    chosen = tuple(precision for precision in PRECISIONS if precision in asked)
    return Machine(found[0] if found else None, wanted.threads or cores(), chosen, wanted)


def offered(
    case: Case, store: Store, machine: Machine, say: Callable[[str], None]
) -> Iterator[Engine]:
    """The engines of a case, built where they are missing, and compared with nothing.

    What cannot be had is said, and left out.
    """
    gpu = machine.gpu
    for backend in machine.backends:
        for precision in machine.precisions:
            wanted = replace(
                machine.wanted,
                backend=backend,
                precision=precision,
                threads=machine.threads,
                max_batch=case.batch,
                sizes=(case.size,) * 3,
                gpus=(gpu.index,) if gpu else None,
            )
            try:
                yield _open(case, Order(case.entry, store, Options(), wanted, precision, say))
            except (EngineError, ModuleNotFoundError) as error:
                say(f"{case.entry.name} on {backend} in {precision} is left out: {error}")


def _open(case: Case, order: Order) -> Engine:
    candidate = Candidate(case.entry, checkpoint=True)
    (maker,) = makers(order, choose(candidate, available(order.wanted), order.wanted))
    (folder,) = (
        built.folder for built in find_or_build(maker, order) if built.network == case.network
    )
    return maker.open(case.network, folder)
