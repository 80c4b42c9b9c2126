"""A model with its engines, and running it on an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engines.catalog import Entry
from engines.geometry import Pixels
from engines.models.top_down import TopDown
from engines.options import Options
from engines.people import People
from engines.runtime.engine import Batch, Engine, Maps
from engines.steps import Steps
from engines.systems import SYSTEMS, BottomUp, Detector
from engines.weights import Store


@dataclass(frozen=True, slots=True)
class Model:
    """A model with its engines, by the names its steps use.

    Attributes:
        entry: of the catalogue.
        system: what it prepares, asks its engines for, and makes of the answers.
        engines: of every network of the entry.
        replicas: the same engines on further GPUs, one mapping a GPU.
        why: those engines, in words.
    """

    entry: Entry
    system: BottomUp | TopDown
    engines: Mapping[str, Engine]
    replicas: tuple[Mapping[str, Engine], ...] = ()
    why: str = ""

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


def model_of(
    entry: Entry, store: Store, options: Options, engines: Mapping[str, Engine], why: str = ""
) -> Model:
    """The model of an entry on these engines, with what the user brought of it."""
    system = SYSTEMS[entry.system].make(entry, store.imported(entry), options)
    return Model(entry, system, engines, why=why)


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
            asked = steps.send(answer(engines[asked.network], asked.inputs))
    except StopIteration as stopped:
        people: People = stopped.value
        return people


def answer(engine: Engine, inputs: Batch) -> Maps:
    """Maps of any number of inputs, in batches that the engine takes."""
    most = engine.max_batch
    if len(inputs) <= most:
        return engine.infer(inputs)
    parts = [engine.infer(inputs[at : at + most]) for at in range(0, len(inputs), most)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _detected(system: TopDown, image: Pixels, detector: Model) -> Steps:
    people = yield from detector.detect(image)
    steps = system.steps(image, people)
    del image  # a large photograph is not kept while its crops wait for the engine
    return (yield from steps)


def _bodies(system: BottomUp, image: Pixels) -> Steps:
    people = yield from system.steps(image)
    return replace(people, boxes=people.body_boxes())
