"""Networks alone on every engine of the machine, side by side with PyTorch in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from engines.precision import PRECISIONS
from engines.runtime.engine import Batch, Engine
from engines.weights import Store
from service.bench import limits
from service.bench.cases import Case, inputs
from service.bench.limits import Probe
from service.bench.offered import Machine, offered
from service.bench.reference import Eager, Subject, error_of, subject, work_of
from service.bench.results import Measured, Row
from service.bench.turns import Spell, each_in_turn, saturating, take_turns
from service.bench.work import Error
from service.threads import one_thread


@dataclass(frozen=True, slots=True)
class Bench:
    """How networks are measured.

    Attributes:
        machine: on what.
        seconds: of load for each engine and each limit.
        pictures: a folder of them; those of the package if None.
        say: told what goes on.
    """

    machine: Machine
    seconds: float
    pictures: Path | None
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Entrant:
    engine: str
    precision: str
    error: Error
    spell: Spell


def measure(cases: Sequence[Case], store: Store, bench: Bench) -> list[Measured]:
    """Images a second of each case's network on PyTorch and on every engine that is to be had.

    Args:
        cases: made of checkpoints; those whose checkpoint is not here get made-up parameters.
        store: keeps the checkpoints, and what is built of them.
        bench: how they are measured.

    Raises:
        ValueError: a case is not made of a checkpoint, or there are no pictures.
    """
    with tempfile.TemporaryDirectory() as work, one_thread():
        torch.set_num_threads(bench.machine.threads)
        return [_measure(case, subject(case.entry, store, Path(work)), bench) for case in cases]


def _measure(case: Case, of: Subject, bench: Bench) -> Measured:
    """All of a case take turns."""
    machine, batches = bench.machine, inputs(case, bench.pictures)
    with ExitStack() as opened, tempfile.TemporaryDirectory() as graphs:
        engines = []
        for engine in offered(case, of.store, machine, bench.say):
            opened.callback(engine.close)
            engines.append(engine)
        eager = Eager(of.network, case.network, machine.device)
        work = work_of(of.network, eager, batches[0])
        entrants = [
            *_of_torch(case, of.network, eager, machine, batches),
            *_of_engines(engines, eager, batches),
        ]
        probes = _probes(machine, engines, Path(graphs))
        bench.say(f"{case.entry.name}: {len(entrants)} engines and {len(probes)} limits take turns")
        spells = [*(one.spell for one in entrants), *(one.spell for one in probes)]
        taken = take_turns(spells, bench.seconds)
        images = [call / case.batch for call in taken[: len(entrants)]]
        limit = _limits(probes, taken[len(entrants) :])
        rows = [
            Row(
                one.engine,
                one.precision,
                image,
                images[0] / image,
                one.error,
                work.gflop / image,
                limit.get(_kind(one.precision, machine)),
                _busy(one, machine),
            )
            for one, image in zip(entrants, images, strict=True)
        ]
    return Measured(case, work, of.made_up, tuple(rows))


def _of_torch(
    case: Case, network: torch.nn.Module, eager: Eager, machine: Machine, batches: Sequence[Batch]
) -> Iterator[_Entrant]:
    """In float32 first, which all else is measured against."""
    name = "PyTorch eager"
    yield _Entrant(name, "fp32", Error(0.0, 0.0), each_in_turn(eager.infer, batches))
    if machine.gpu:
        quick = Eager(network, case.network, machine.device, tf32=True)
        error = error_of(quick.infer(batches[0]), eager.infer(batches[0]))
        yield _Entrant(name, "tf32", error, each_in_turn(quick.infer, batches))


def _of_engines(
    engines: Sequence[Engine], eager: Eager, batches: Sequence[Batch]
) -> Iterator[_Entrant]:
    expected = eager.infer(batches[0])
    for engine in engines:
        error = error_of(engine.infer(batches[0]), expected)
        yield _Entrant(engine.name, engine.precision, error, saturating(engine, batches))


def _probes(machine: Machine, engines: Sequence[Engine], folder: Path) -> list[Probe]:
    """PyTorch's float32 has a limit too."""
    if machine.gpu:
        return limits.of_gpu(machine.device)
    precisions = {engine.precision for engine in engines} | {"fp32"}
    kept = [precision for precision in PRECISIONS if precision in precisions]
    return limits.of_processor(kept, machine.threads, folder)


def _limits(probes: Sequence[Probe], taken: Sequence[float]) -> dict[str, float]:
    """The best rate in each precision, in 1e9 operations a second."""
    best: dict[str, float] = {}
    for probe, seconds in zip(probes, taken, strict=True):
        best[probe.precision] = max(best.get(probe.precision, 0), probe.gflop / seconds)
    return best


def _kind(precision: str, machine: Machine) -> str:
    """Whose limit holds: a GPU's matrix rate is bfloat16's for all but float32."""
    return "bf16" if machine.gpu and precision != "fp32" else precision


def _busy(one: _Entrant, machine: Machine) -> float | None:
    if machine.gpu is None:
        return None
    from service.bench.busy import busy  # noqa: PLC0415 - needs NVML

    return busy(one.spell, machine.gpu.uuid)
