"""What every back-end offers for building."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engines.catalog import Entry, Network
from engines.machine import Machine
from engines.model import Model, model_of
from engines.options import Options
from engines.precision import Precision
from engines.profile import Profile
from engines.runtime.engine import Engine
from engines.runtime.options import EngineOptions
from engines.weights import Store

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built and opened.

    Attributes:
        entry, store: the model and its files.
        options: how it runs.
        wanted: how its engines run.
        precision: of its engines.
        say: told what goes on.
    """

    entry: Entry
    store: Store
    options: Options
    wanted: EngineOptions
    precision: Precision
    say: Say

    def model(self, engines: Mapping[str, Engine]) -> Model:
        """The model on these engines."""
        return model_of(self.entry, self.store, self.options, engines)


class Maker(Protocol):
    """Makes and opens the engines of an order on one device.

    Attributes:
        backend, version: of what makes and runs them.
        machine: that they run on.
        built_for: the machine that what is built depends on; an empty one where it does not.
        runs_here: whether this machine can open what is made.
    """

    @property
    def backend(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def machine(self) -> Machine: ...

    @property
    def built_for(self) -> Machine: ...

    @property
    def runs_here(self) -> bool: ...

    def graph(self, network: Network) -> Path:
        """The float32 graph that is built from."""

    def profile(self, network: Network) -> Profile | None:
        """The inputs that an engine is built for; None for any."""

    def make(self, network: Network, folder: Path) -> None:
        """Writes what has to be built of a network, if anything, to an empty folder."""

    def open(self, network: Network, folder: Path) -> Engine:
        """The engine of what was made."""
