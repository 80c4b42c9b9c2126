"""Loads a model by name and runs it on an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engines import weights
from engines.catalog import Entry, Network, find
from engines.geometry import Pixels
from engines.models.top_down import TopDown
from engines.options import Options
from engines.people import People
from engines.runtime.engine import Engine
from engines.runtime.openvino import OpenVinoEngine
from engines.steps import Steps
from engines.systems import SYSTEMS, BottomUp, Detector

# Inputs that a network without pictures takes at once. The Pose Residual Network reads 285 MB of
# weights for each batch, which costs the same for 1 person as for 8.
_ARRAYS = 16


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its engines, by the names its steps use.

    Attributes:
        entry: of the catalogue.
        system: what it prepares, asks its engines for, and makes of the answers.
        engines: of every network of the entry.
        replicas: the same engines on further GPUs, one mapping a GPU.
    """

    entry: Entry
    system: BottomUp | TopDown
    engines: Mapping[str, Engine]
    replicas: tuple[Mapping[str, Engine], ...] = ()

    @property
    def is_top_down(self) -> bool:
        """Whether it has to be told where people are."""
        return isinstance(self.system, TopDown)

    def steps(self, image: Pixels, found: People | Model | None = None) -> Steps:
        """Its work on an image (H, W, 3) uint8 BGR.

        Args:
            image: as displayed.
            found: where the people of a top-down model are: people with boxes, each of whom is
                answered in that order; a model that finds them; or None, for the whole image
                as one person. A model that finds people by itself is given nothing.

        Raises:
            ValueError: `found` does not go with this model.
        """
        if isinstance(self.system, TopDown):
            if isinstance(found, Model):
                return _detected(self.system, image, found)
            height, width = image.shape[:2]
            people = People.at([(0, 0, width, height)]) if found is None else found
            return self.system.steps(image, people, keep_all=True)
        if found is not None:
            raise ValueError(f"{self.entry.name} finds people by itself: give it no boxes")
        return self.system.steps(image)

    def detect(self, image: Pixels) -> Steps:
        """Its steps to people whose boxes hold whole bodies; their keypoints do not matter."""
        if isinstance(self.system, TopDown):
            raise ValueError(
                f"{self.entry.name} needs boxes itself: choose a model that finds them"
            )
        if isinstance(self.system, Detector):
            return self.system.detect(image)
        return _bodies(self.system, image)

    def close(self) -> None:
        for engines in (self.engines, *self.replicas):
            for engine in engines.values():
                engine.close()


def load(
    name: str,
    store: weights.Store,
    options: Options | None = None,
    *,
    threads: int = 0,
    max_batch: int = 2,
    progress: weights.Progress | None = None,
) -> Model:
    """Fetches what is missing and compiles the engines of a model of the catalogue.

    Args:
        name: in the catalogue.
        store: where its weights are kept and come from.
        options: how it runs; the model's own way if None.
        threads: of the CPU engine; 0 takes every core.
        max_batch: the most pictures a CPU engine takes at once.
        progress: told the bytes of each file that is fetched.

    Raises:
        UnknownModelError, WeightsError
        ValueError: the model does not take one of the options.
    """
    entry, options = find(name), options or Options()
    kind = SYSTEMS[entry.system]
    if refused := options.chosen() - kind.takes:
        raise ValueError(f"{name} does not take {', '.join(sorted(refused))}: leave it out")
    if options.height is not None:
        entry = replace(entry, input=replace(entry.input, height=options.height))
    weights.ensure(entry, store, progress)

    def compiled(network: Network) -> OpenVinoEngine:
        most = _ARRAYS if network.pixels is None else max_batch
        return OpenVinoEngine(store.graph(entry, network), network, threads, most)

    system = kind.make(entry, store.imported(entry), options)
    networks = entry.networks.values()
    return Model(entry, system, {network.name: compiled(network) for network in networks})


def run(model: Model, image: Pixels, found: People | Model | None = None) -> People:
    """The people of `image`, driving the model's steps in place; see `Model.steps`."""
    detector = found if isinstance(found, Model) else None
    return drive(model.steps(image, found), engines_of(model, detector))


def engines_of(model: Model, detector: Model | None) -> dict[str, Engine]:
    """Every engine that the steps of a model ask for, by name."""
    return {**(detector.engines if detector else {}), **model.engines}


def drive(steps: Steps, engines: Mapping[str, Engine]) -> People:
    """The people that steps come to, answered by these engines."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(engines[asked.network].infer(asked.inputs))
    except StopIteration as stopped:
        people: People = stopped.value
        return people


def _detected(system: TopDown, image: Pixels, detector: Model) -> Steps:
    people = yield from detector.detect(image)
    steps = system.steps(image, people)
    del image  # a large photograph is not kept while its crops wait for the engine
    return (yield from steps)


def _bodies(system: BottomUp, image: Pixels) -> Steps:
    people = yield from system.steps(image)
    return replace(people, boxes=people.body_boxes())
