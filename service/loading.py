"""Which models a service loads, and how its settings say they run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from engines.catalog import UnknownModelError, find
from engines.loading import choose_engine, load
from engines.model import Model
from engines.options import Options
from engines.runtime.auto import EngineError
from engines.runtime.options import EngineOptions
from engines.systems import SYSTEMS, TOP_DOWN
from engines.weights import Progress, Store, ensure
from service.settings import WHOLE_IMAGE, Settings

log = logging.getLogger("posewire")


def served_names(settings: Settings) -> list[str]:
    """The models that were asked for and, where one of them needs boxes, what finds people.

    Raises:
        UnknownModelError
        ValueError: an option that none of the models takes.
    """
    names = list(dict.fromkeys(settings.models))
    if any(find(name).system == TOP_DOWN for name in names):
        names += [name for name in _detectors(settings) if name not in names]
    taken = {option for name in names for option in SYSTEMS[find(name).system].takes}
    if refused := settings.options.chosen() - taken:
        listed = ", ".join(f"POSEWIRE_{name.upper()} (--{name})" for name in sorted(refused))
        raise ValueError(f"{listed}: no such option of {', '.join(names)}; leave it out")
    return names


def _detectors(settings: Settings) -> list[str]:
    """The model that finds people by default, if that is one."""
    if settings.detector == WHOLE_IMAGE:
        return []
    try:
        entry = find(settings.detector)
    except UnknownModelError as error:
        raise UnknownModelError(f"POSEWIRE_DETECTOR: {error}") from None
    if entry.system == TOP_DOWN:
        raise ValueError(f"POSEWIRE_DETECTOR: {settings.detector} needs boxes itself")
    return [settings.detector]


def load_model(
    name: str,
    settings: Settings,
    progress: Progress | None = None,
    say: Callable[[str], None] = log.info,
) -> Model:
    """A model with those options of the settings that it takes."""
    options, wanted = options_of(name, settings), engine_options_of(name, settings)
    return load(name, store(settings), options, wanted, progress=progress, say=say)


def options_of(name: str, settings: Settings) -> Options:
    """Those options of the settings that a model takes."""
    takes, default = SYSTEMS[find(name).system].takes, Options()
    others = settings.options.chosen() - takes
    return replace(settings.options, **{other: getattr(default, other) for other in others})


def engine_options_of(name: str, settings: Settings) -> EngineOptions:
    """How the engines of a model run: the precision is of the models that were asked for, and not
    of a detector that is loaded for them, which may not bear it."""
    wanted = settings.engine_options
    return wanted if name in settings.models else replace(wanted, precision=None)


def engine_of(name: str, settings: Settings) -> str:
    """What would run a model, and why, in words; or why nothing would."""
    try:
        choice = choose_engine(find(name), store(settings), engine_options_of(name, settings))
    except EngineError as error:
        return str(error)
    devices = ", ".join(f"{gpu.device} ({gpu.name})" for gpu in choice.gpus) or "cpu"
    return f"{name} runs on {choice.backend}, {choice.precision}, on {devices}: {choice.why}"


def memory_in_use(device: str, settings: Settings) -> Callable[[], float]:
    """Asks for the bytes that the engines of a GPU take."""
    from engines.building.gpu import device_memory  # noqa: PLC0415 - needs torch

    memory = device_memory(device, settings.gpu_memory)
    return lambda: float(memory.used)


def load_pair(
    settings: Settings,
    progress: Progress | None = None,
    say: Callable[[str], None] = log.info,
) -> tuple[Model, Model | None]:
    """The first model, and what finds people for it where it needs that."""
    first, *_ = served_names(settings)
    model = load_model(first, settings, progress, say)
    if not model.is_top_down or settings.detector == WHOLE_IMAGE:
        return model, None
    return model, load_model(settings.detector, settings, progress, say)


def ensure_served(settings: Settings, progress: Progress | None = None) -> None:
    """Fetches the weights of every model that a service with these settings loads."""
    for name in served_names(settings):
        ensure(find(name), store(settings), progress)


def store(settings: Settings) -> Store:
    return Store(settings.cache, settings.mirror)
