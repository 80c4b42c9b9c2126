"""Loads a model by name and runs it on an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from engines import weights
from engines.catalog import Entry, find
from engines.geometry import Pixels
from engines.models.lightweight_openpose import LightweightOpenPose
from engines.people import People
from engines.runtime.engine import Engine
from engines.runtime.openvino import OpenVinoEngine
from engines.steps import Steps


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its engines, by the names its steps use."""

    entry: Entry
    steps: Callable[[Pixels], Steps]
    engines: Mapping[str, Engine]

    def close(self) -> None:
        for engine in self.engines.values():
            engine.close()


def load(
    name: str,
    store: weights.Store,
    *,
    height: int | None = None,
    threads: int = 0,
    max_batch: int = 2,
    progress: weights.Progress | None = None,
) -> Model:
    """Fetches what is missing and compiles the engines of a model of the catalogue.

    Args:
        name: in the catalogue.
        store: where its weights are kept and come from.
        height: of the network's input in pixels; the model's own if None.
        threads: of the CPU engine; 0 takes every core.
        max_batch: the most pictures a CPU engine takes at once.
        progress: told the bytes of each file that is fetched.

    Raises:
        UnknownModelError, WeightsError
    """
    entry = find(name)
    if height is not None:
        entry = replace(entry, input=replace(entry.input, height=height))
    folder = weights.ensure(entry, store, progress)
    network = entry.network
    engine = OpenVinoEngine(folder / network.graph, network.outputs, threads, max_batch)
    system = LightweightOpenPose(entry.skeleton, entry.input)
    return Model(entry, system.steps, {system.network: engine})


def run(model: Model, image: Pixels) -> People:
    """The people of `image`, (H, W, 3) uint8 BGR, driving the model's steps in place."""
    steps = model.steps(image)
    asked = next(steps)
    while True:
        maps = model.engines[asked.network].infer(asked.inputs)
        try:
            asked = steps.send(maps)
        except StopIteration as stopped:
            people: People = stopped.value
            return people
