"""Loads a model by name: its weights, what runs it, and its engines."""

from __future__ import annotations

import logging
from dataclasses import replace

from engines import weights
from engines.build import Built, find_or_build, open_proven
from engines.building.maker import Order, Say
from engines.building.makers import makers
from engines.catalog import Entry, find
from engines.comparison import UnprovenError
from engines.model import Model
from engines.options import Options
from engines.reference import of_checkpoint
from engines.runtime.auto import Candidate, Choice, EngineError, choose
from engines.runtime.available import available
from engines.runtime.options import EngineOptions
from engines.systems import SYSTEMS

_log = logging.getLogger("posewire.engines")


def load(
    name: str,
    store: weights.Store,
    options: Options | None = None,
    wanted: EngineOptions | None = None,
    *,
    progress: weights.Progress | None = None,
    say: Say = _log.info,
) -> Model:
    """Fetches what is missing of a model of the catalogue, and builds and opens its engines.

    Args:
        name: in the catalogue.
        store: where its weights and engines are kept, and where its weights come from.
        options: how it runs; the model's own way if None.
        wanted: how its engines run; as this machine has them if None.
        progress: told the bytes of each file that is fetched.
        say: told what is built.

    Raises:
        UnknownModelError, WeightsError, EngineError
        UnprovenError: in the precision that is wanted, an engine gives other results than PyTorch.
            Where none is wanted, the model runs in the one it was published in.
        ValueError: the model does not take one of the options.
    """
    options, wanted = options or Options(), wanted or EngineOptions()
    entry = _with(find(name), options)
    weights.ensure(entry, store, progress)
    choice = choose_engine(entry, store, wanted)
    entry = choice.entry
    order = Order(entry, store, options, wanted, choice.precision, say)
    try:
        return _opened(order, choice)
    except UnprovenError as error:
        if wanted.precision is not None or choice.precision == entry.precision:
            raise
        say(f"{error} It runs in {entry.precision}, which is slower.")
        why = f"{choice.why}; not {choice.precision}, which differs too much from PyTorch"
        exact = replace(choice, precision=entry.precision, why=why)
        return _opened(replace(order, precision=entry.precision), exact)


def _opened(order: Order, choice: Choice) -> Model:
    first, *others = [open_proven(maker, order) for maker in makers(order, choice)]
    return replace(order.model(first), replicas=tuple(others), why=choice.why)


def build(
    name: str,
    store: weights.Store,
    options: Options,
    wanted: EngineOptions,
    *,
    progress: weights.Progress | None = None,
    say: Say = _log.info,
) -> list[Built]:
    """Builds the engines of a model where they are missing or unfit, and compares them.

    TensorRT-RTX also builds where there is no GPU; then nothing is compared until a machine that
    has one loads the model.

    Raises:
        As `load`. EngineError: also where the model is published in another precision.
    """
    entry = _with(find(name), options)
    weights.ensure(entry, store, progress)
    choice = choose_engine(entry, store, wanted, elsewhere=True)
    if wanted.precision not in {None, choice.precision}:
        raise EngineError(f"{name} is published in {choice.precision} and has no other precision")
    order, built = Order(choice.entry, store, options, wanted, choice.precision, say), []
    for maker in makers(order, choice):
        if maker.runs_here:
            for engine in open_proven(maker, order).values():
                engine.close()
        built += find_or_build(maker, order)
    return built


def choose_engine(
    entry: Entry, store: weights.Store, wanted: EngineOptions, *, elsewhere: bool = False
) -> Choice:
    """What would run a model on this machine, or is built here to run `elsewhere`.

    Raises:
        EngineError: nothing runs it as wanted.
    """
    networks = entry.networks.values()
    checkpoint = all(of_checkpoint(entry, network, store) for network in networks)
    return choose(Candidate(entry, checkpoint, elsewhere), available(wanted), wanted)


def _with(entry: Entry, options: Options) -> Entry:
    """The entry with the height that was chosen."""
    if refused := options.chosen() - SYSTEMS[entry.system].takes:
        raise ValueError(f"{entry.name} does not take {', '.join(sorted(refused))}: leave it out")
    if options.height is None:
        return entry
    return replace(entry, input=replace(entry.input, height=options.height))
