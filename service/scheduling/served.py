"""A model that is served."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engines.model import Model
from service.scheduling.lane import Lane


@dataclass(frozen=True, slots=True)
class Served:
    """A model with the lane of each of its networks."""

    model: Model
    lanes: Mapping[str, Lane]

    @property
    def devices(self) -> set[str]:
        """That it has engines on."""
        sets = (self.model.engines, *self.model.replicas)
        return {engine.device for engines in sets for engine in engines.values()}

    @property
    def alive(self) -> bool:
        """Whether every network of it has a device that runs."""
        return all(lane.alive for lane in self.lanes.values())

    @property
    def waiting(self) -> int:
        """Pictures that wait for an engine."""
        return sum(len(lane) for lane in self.lanes.values())
