"""Things that are measured in turns, so that a machine's drift touches all of them alike."""

from __future__ import annotations

import itertools
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence

from engines.runtime.engine import Batch, Engine, Pending

# Long enough for what a spell finds cold, or leaves under way, to weigh little.
_SPELL_S, _LEAST_ROUNDS = 0.5, 3

Spell = Callable[[float], float]
"""Does its work over and over for so many seconds, and at least once; gives the seconds of one."""


def repeated(work: Callable[[], object]) -> Spell:
    """The same, one after the other."""

    def spell(seconds: float) -> float:
        done, began = 0, time.perf_counter()
        while not done or time.perf_counter() - began < seconds:
            work()
            done += 1
        return (time.perf_counter() - began) / done

    return spell


def each_in_turn(infer: Callable[[Batch], object], batches: Sequence[Batch]) -> Spell:
    """Batches, one after the other."""
    source = itertools.cycle(batches)
    return repeated(lambda: infer(next(source)))


def saturating(engine: Engine, batches: Sequence[Batch]) -> Spell:
    """Batches one after the other, with as many under way as the engine allows."""
    source = itertools.cycle(batches)

    def spell(seconds: float) -> float:
        under_way: deque[Pending] = deque()
        started, began = 0, time.perf_counter()
        while not started or time.perf_counter() - began < seconds:
            under_way.append(engine.start(next(source)))
            started += 1
            if len(under_way) > engine.ahead:
                under_way.popleft()()
        for pending in under_way:
            pending()
        return (time.perf_counter() - began) / started

    return spell


def take_turns(spells: Sequence[Spell], seconds: float) -> list[float]:
    """Seconds of one piece of work of each: the median of its spells.

    Every round gives each a spell, in an order that turns round each time.

    Args:
        spells: nothing is measured of a first, short one.
        seconds: of load for each on average; slow work takes more of the whole.
    """
    for spell in spells:
        spell(0)
    taken: list[list[float]] = [[] for _ in spells]
    ends = time.perf_counter() + seconds * len(spells)
    for turn in itertools.count():
        if turn >= _LEAST_ROUNDS and time.perf_counter() > ends:
            break
        for at in range(len(spells))[:: 1 if turn % 2 else -1]:
            taken[at].append(spells[at](min(_SPELL_S, seconds)))
    return [statistics.median(times) for times in taken]
