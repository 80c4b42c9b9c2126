"""`python -m tests.benchmarks.small [ROUNDS]`: `posewire-small` beside `lightweight-openpose-int8`.

Both networks alone on the engine that serves them, on what is made of the same picture at the
height of either. They take turns, in an order that turns round each time, so that a
machine's drift touches both. POSEWIRE_* say with how many threads, and where weights are.
"""

from __future__ import annotations

import statistics
import sys
import time

import numpy as np

from engines.catalog import find
from engines.model import Model
from engines.pictures import inputs_of
from engines.runtime.engine import Batch
from service.loading import load_model
from service.settings import Settings

FETCHED, SHIPPED = "lightweight-openpose-int8", "posewire-small"
_ROUNDS = 200
_WARM = 10


def main(rounds: int) -> None:
    """Prints a line for each height: medians in milliseconds, and how much faster the small is."""
    print(f"{'input':>10} {FETCHED + ' ms':>29} {SHIPPED + ' ms':>18} {'times faster':>13}")
    for height in sorted(find(name).input.height for name in (SHIPPED, FETCHED)):
        settings = Settings(models=(FETCHED, SHIPPED), height=height)
        models = [load_model(name, settings) for name in settings.models]
        shown = _input_of(models[0])
        large, small = _medians(models, shown, rounds)
        size = f"{shown.shape[1]}x{shown.shape[2]}"
        print(f"{size:>10} {large:29.2f} {small:18.2f} {large / small:13.2f}")
        for model in models:
            model.close()


def _input_of(model: Model) -> Batch:
    """What the model asks its network of a camera's picture, of noise."""
    picture = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    (asked,) = inputs_of(model, [picture])[model.entry.name]
    return asked


def _medians(models: list[Model], shown: Batch, rounds: int) -> list[float]:
    """Milliseconds that each model's network takes."""
    engines = [engine for model in models for engine in model.engines.values()]
    times: list[list[float]] = [[] for _ in engines]
    turns = list(zip(engines, times, strict=True))
    for number in range(_WARM + rounds):
        for engine, taken in turns if number % 2 else reversed(turns):
            began = time.perf_counter()
            engine.infer(shown)
            taken.append((time.perf_counter() - began) * 1e3)
    return [statistics.median(taken[_WARM:]) for taken in times]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _ROUNDS)
