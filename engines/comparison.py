"""Engines against a reference: their outputs on the same inputs, and the people they find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engines.geometry import Pixels
from engines.grouping.person_assignment import GRID
from engines.matching import matched, similarities
from engines.model import Model, answer, drive, engines_of
from engines.people import Floats, People
from engines.precision import Precision
from engines.runtime.engine import Maps
from engines.steps import Infer, watched

LEAST_OKS = 0.98  # of matched people, on average


class UnprovenError(Exception):
    """An engine differs from the reference; the message says where, and what to do."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The largest and the mean error, as shares of an output's largest absolute value."""

    largest: float
    mean: float


# In float32 what an export may. Else one and a half to five times what was measured on networks
# that bear the precision: 0.05 and 4e-4 in fp16, where a GPU may also add up in less than
# float32; 0.054 and 0.003 in bf16; 0.11 and 0.009 in int8. Red taken for blue makes 0.16 or more.
TOLERANCES: Mapping[Precision, Tolerance] = {
    "fp32": Tolerance(0.001, 0.0001),
    "fp16": Tolerance(0.1, 0.002),
    "bf16": Tolerance(0.15, 0.008),
    "int8": Tolerance(0.15, 0.02),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest and the mean absolute error of an output, as shares of the largest absolute
    value that the reference gives for it; infinite where an output is not a number, or not of
    the reference's shape.
    """

    largest: float
    mean: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a model's engines compare with a reference.

    Attributes:
        reference: what it was, in words.
        pictures: how many.
        outputs: by network and output, "name/output"; None where no picture led to that network.
        people: whom the reference found on all pictures.
        lost: those of them whom the engines did not find.
        oks: mean similarity of the others; None where there are none.
    """

    reference: str
    pictures: int
    outputs: Mapping[str, Difference | None]
    people: int
    lost: int
    oks: float | None

    def faults(self, precision: Precision) -> list[str]:
        """Sentences on what is beyond the tolerance; none for a proven engine."""
        faults = list(self._of_outputs(TOLERANCES[precision], precision))
        # Where outputs are equal but for float32's rounding, people differ by ties alone, such as
        # those that a network without training makes of noise.
        return faults if precision == "fp32" else [*faults, *self._of_people()]

    def told(self) -> list[str]:
        """Lines on how near the engines are, for who built them."""
        lines = [f"compared with {self.reference}, on {self.pictures} pictures:"]
        for name, found in self.outputs.items():
            if found is not None:
                lines.append(f"  {name}: up to {found.largest:.1e}, on average {found.mean:.1e}")
        oks = "" if self.oks is None else f", OKS {self.oks:.4f} on average"
        return [*lines, f"  {self.people} people, {self.lost} lost{oks}"]

    def _of_outputs(self, allowed: Tolerance, precision: Precision) -> Iterator[str]:
        for name, found in self.outputs.items():
            if found is None:
                yield f"{name} was not compared, as no picture led to that network"
            elif not (found.largest <= allowed.largest and found.mean <= allowed.mean):
                yield (
                    f"{name} differs by up to {found.largest:.2g} of its largest value and by "
                    f"{found.mean:.2g} on average, where {precision} may by {allowed.largest:g} "
                    f"and {allowed.mean:g}"
                )

    def _of_people(self) -> Iterator[str]:
        if self.lost:
            yield f"{self.lost} of {self.people} people are lost"
        if self.oks is not None and not self.oks >= LEAST_OKS:
            yield f"the OKS of people is {self.oks:.3f} on average, where {LEAST_OKS} is the least"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Comparison:
        """Of what `to_json` gave."""
        outputs = {
            name: None if one is None else Difference(**one)
            for name, one in stored["outputs"].items()
        }
        return cls(**{**stored, "outputs": outputs})


def compare(
    reference: Model, candidate: Model, pictures: Iterable[Pixels], detector: Model | None = None
) -> Comparison:
    """How the engines of `candidate` compare with those of `reference`.

    Every network is asked what the reference's steps ask on the pictures, and the candidate's
    own steps are run to people; see `engines.matching` for who counts.

    Args:
        reference, candidate: the same model on different engines.
        pictures: (H, W, 3) uint8 BGR.
        detector: finds people for both if they need boxes; without one the whole picture is
            one person.
    """
    errors = _Errors(candidate)
    count, people, alike = 0, 0, list[float]()
    for picture in pictures:
        steps = watched(reference.steps(picture, detector), errors.add)
        expected = drive(steps, engines_of(reference, detector))
        # Maps that cannot be compared cannot be grouped either.
        found = _people(candidate, picture, detector) if errors.finite else _nobody(candidate)
        table = similarities(expected, found, reference.entry.skeleton)
        count, people = count + 1, people + len(table)
        alike += matched(table)
    for asked in _unasked(reference, errors):
        errors.add(asked, answer(reference.engines[asked.network], asked.inputs))
    mean = float(np.mean(alike)) if alike else None
    return Comparison(reference.why, count, errors.differences(), people, people - len(alike), mean)


def prove(
    reference: Model,
    candidate: Model,
    pictures: Iterable[Pixels],
    precision: Precision,
    detector: Model | None = None,
) -> Comparison:
    """The comparison of `compare`, if it is within the tolerance of that precision.

    Raises:
        UnprovenError: it is not; says which output or whose people, and what to do.
    """
    comparison = compare(reference, candidate, pictures, detector)
    if faults := comparison.faults(precision):
        raise UnprovenError(
            f"{candidate.entry.name} in {precision} is not used, as it differs from "
            f"{comparison.reference} on {comparison.pictures} pictures: {'; '.join(faults)}. "
            "Choose another precision, or other pictures of people."
        )
    return comparison


@dataclass(slots=True)
class _Error:
    """Of one output, summed up over inputs."""

    scale: float = 0.0
    largest: float = 0.0
    total: float = 0.0
    count: int = 0

    def add(self, expected: Floats, given: Floats | None) -> None:
        if given is None or given.shape != expected.shape:
            self.largest = np.inf
            return
        errors = np.abs(given - expected, dtype=np.float64)
        largest = float(errors.max(initial=0))
        self.largest = max(self.largest, largest) if np.isfinite(largest) else np.inf
        self.scale = max(self.scale, float(np.abs(expected).max(initial=0)))
        self.total += float(errors.sum())
        self.count += errors.size

    @property
    def relative(self) -> Difference | None:
        if not np.isfinite(self.largest):
            return Difference(np.inf, np.inf)
        if not self.count:
            return None
        scale = max(self.scale, np.finfo(np.float64).tiny)
        return Difference(self.largest / scale, self.total / self.count / scale)


class _Errors:
    """Of all outputs of a model's engines, on the inputs of another's."""

    def __init__(self, candidate: Model) -> None:
        self._engines = candidate.engines
        self._errors = {
            (network.name, output): _Error()
            for network in candidate.entry.networks.values()
            for output in network.outputs
        }

    def add(self, asked: Infer, expected: Maps) -> None:
        if asked.network not in self._engines:
            return  # the detector's
        given = answer(self._engines[asked.network], asked.inputs)
        for output, values in expected.items():
            self._errors[asked.network, output].add(values, given.get(output))

    def has_seen(self, network: str) -> bool:
        """Whether a network was asked."""
        return any(error.count for (name, _), error in self._errors.items() if name == network)

    @property
    def finite(self) -> bool:
        return all(np.isfinite(error.largest) for error in self._errors.values())

    def differences(self) -> dict[str, Difference | None]:
        return {"/".join(name): error.relative for name, error in self._errors.items()}


def _unasked(reference: Model, errors: _Errors) -> Iterator[Infer]:
    """Made-up grids for a Pose Residual Network that nobody on the pictures led to."""
    random = np.random.default_rng(0)
    for network in reference.entry.networks.values():
        if network.pixels is None and not errors.has_seen(network.name):
            yield Infer(network.name, random.random((2, *GRID), np.float32))


def _people(model: Model, picture: Pixels, detector: Model | None) -> People:
    """Whom a model finds: nobody, where its engines give what are no numbers."""

    def check(asked: Infer, maps: Maps) -> None:
        if not all(np.isfinite(values).all() for values in maps.values()):
            raise FloatingPointError(asked.network)

    try:
        return drive(watched(model.steps(picture, detector), check), engines_of(model, detector))
    except FloatingPointError:
        return _nobody(model)


def _nobody(model: Model) -> People:
    keypoints = np.zeros((0, len(model.entry.skeleton.keypoints), 3), np.float32)
    return People.of(keypoints, np.zeros(0, np.float32))
