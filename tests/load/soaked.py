"""What became of a soak, and what is promised of it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.load.verdicts import FAULT, Verdicts
from tests.load.watch import Watch

_AT_ONCE = 2  # pictures in the batch of an engine on a CPU: what is under way when it is killed
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Soaked:
    """The end of a soak.

    Attributes:
        verdicts: on each answer.
        watch: what the server held.
        kills, restarts: of the engine, hangs included.
        silent: requests without an answer.
        unasked: answers without a request, or in the wrong order.
    """

    verdicts: Verdicts
    watch: Watch
    kills: int
    restarts: int
    silent: int
    unasked: int

    def broken(self, *, flat: bool = True) -> list[str]:
        """The promises that are not kept, in words.

        Args:
            flat: whether a leak would show: not in a few seconds.
        """
        wrong, faults = self.verdicts.wrong, self.verdicts.count(FAULT)
        broken = [*wrong[:_SHOWN]]
        if len(wrong) > _SHOWN:
            broken.append(f"and {len(wrong) - _SHOWN} more answers that are wrong")
        if self.silent:
            broken.append(f"{self.silent} requests had no answer")
        if self.unasked:
            broken.append(f"{self.unasked} answers were to no request")
        if faults > self.kills * _AT_ONCE:
            broken.append(f"{faults} faults are more than {self.kills} killed engines explain")
        if self.restarts not in {self.kills, self.kills - 1}:  # the last one may be under way
            broken.append(f"{self.kills} engines were killed and {self.restarts} restarted")
        return broken + (self.watch.grown() if flat else [])

    def summary(self) -> str:
        """What became of the requests and the server, and what is broken."""
        return "\n".join(
            [
                self.verdicts.summary(),
                f"engines killed or hung: {self.kills}, restarted: {self.restarts}",
                f"requests without an answer: {self.silent}, answers without a request: "
                f"{self.unasked}, wrong answers: {len(self.verdicts.wrong)}",
                self.watch.summary(),
                *(self.broken() or ["every promise is kept"]),
            ]
        )
