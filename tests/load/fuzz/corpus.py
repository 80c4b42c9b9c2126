"""The inputs worth keeping: those with a new outcome, and the slowest and largest."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final

from tests.load.fuzz.seeds import seeds
from tests.load.fuzz.worker import Outcome

_GROWTH: Final = 1.25  # slower or larger by less than this is noise
_COSTLY_MS: Final = 10.0
_COSTLY_SHARE: Final = 0.02


class Corpus:
    """Seeds of one type, and what earlier runs and this one have kept in `folder`."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._folder = folder / kind.lower()
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = sorted(self._folder.iterdir())
        self.files = [*seeds(kind), *(path.read_bytes() for path in kept)]
        self.costly: list[bytes] = []
        self._classes: set[str] = set()
        self._ms = 1.0
        self._mb = 1.0

    def learn(self, run: Callable[[list[bytes]], list[Outcome]]) -> None:
        """Which outcomes are no news, and which files take their time."""
        known = list(zip(self.files, run(self.files), strict=True))
        self.files = [data for data, outcome in known if outcome.ms <= _COSTLY_MS]
        self.costly = [data for data, outcome in known if outcome.ms > _COSTLY_MS]
        for data, outcome in known:
            self.look(data, outcome, keep=False)

    def look(self, data: bytes, outcome: Outcome, *, keep: bool = True) -> bool:
        """Keeps an input that teaches something, and says whether it did."""
        slow, large = outcome.ms > self._ms * _GROWTH, outcome.mb > self._mb * _GROWTH
        self._ms = max(self._ms, outcome.ms)
        self._mb = max(self._mb, outcome.mb)
        name = label(outcome)
        if name in self._classes and not slow and not large:
            return False
        self._classes.add(name)
        return keep and self._keep(data, outcome)

    def choose(self, rng: Random) -> list[bytes]:
        """Files to mutate: mostly those that take no time, so that many can be tried."""
        return self.costly if self.costly and rng.random() < _COSTLY_SHARE else self.files

    def _keep(self, data: bytes, outcome: Outcome) -> bool:
        path = self._folder / hashlib.sha256(data).hexdigest()[:16]
        if not data or path.exists():
            return False
        path.write_bytes(data)
        (self.costly if outcome.ms > _COSTLY_MS else self.files).append(data)
        return True


def label(outcome: Outcome) -> str:
    """The class of an outcome: of pictures those with about the same sides are one."""
    return re.sub(r"\d+", lambda side: f"2^{int(side[0]).bit_length()}", outcome.result)
