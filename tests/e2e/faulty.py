"""A server whose engines can be made to fail: `python -m tests.e2e.faulty`, as `python -m service`.

On SIGUSR1 the next batch kills the thread of the engine that is given it; on SIGUSR2 it hangs for
ever. Only batches of requests do, not the first picture that an engine answers when it is loaded.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

from engines.loading import load
from engines.model import Model
from engines.runtime.engine import Batch, Engine, Maps, Pending
from service import loading
from service.cli import app


@dataclass(frozen=True, slots=True)
class Faults:
    """What the next batch of any engine meets."""

    kills: threading.Event = field(default_factory=threading.Event)
    hangs: threading.Event = field(default_factory=threading.Event)

    def meet(self) -> None:
        if self.kills.is_set():
            self.kills.clear()
            raise SystemExit
        if self.hangs.is_set():
            self.hangs.clear()
            threading.Event().wait()

    def into(self, load: Callable[..., Model]) -> Callable[..., Model]:
        """What loads models with engines that meet them."""

        def load_faulty(*args: Any, **options: Any) -> Model:
            model = load(*args, **options)
            replicas = tuple(map(self._wrapped, model.replicas))
            return replace(model, engines=self._wrapped(model.engines), replicas=replicas)

        return load_faulty

    def _wrapped(self, engines: Mapping[str, Engine]) -> dict[str, Engine]:
        return {network: Faulty(engine, self) for network, engine in engines.items()}


class Faulty:
    """Another's engine, which meets faults where it starts a batch."""

    def __init__(self, engine: Engine, faults: Faults) -> None:
        self._engine, self._faults = engine, faults
        self.name, self.precision, self.device = engine.name, engine.precision, engine.device
        self.max_batch, self.ahead = engine.max_batch, engine.ahead

    def start(self, batch: Batch) -> Pending:
        self._faults.meet()
        return self._engine.start(batch)

    def infer(self, batch: Batch) -> Maps:
        return self._engine.infer(batch)

    def close(self) -> None:
        self._engine.close()


def main() -> None:
    faults = Faults()
    signal.signal(signal.SIGUSR1, lambda *_: faults.kills.set())
    signal.signal(signal.SIGUSR2, lambda *_: faults.hangs.set())
    with patch.object(loading, "load", faults.into(load)):
        app(["serve", *sys.argv[1:]], prog_name="posewire")


if __name__ == "__main__":
    main()
