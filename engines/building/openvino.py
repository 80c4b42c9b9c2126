"""Engines of a CPU."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import openvino

from engines.building.calibration import calibration
from engines.building.maker import Order
from engines.catalog import Network
from engines.machine import ANY, Machine
from engines.runtime.openvino import OpenVinoEngine, has_bfloat16, processor

_BUILT = "engine.xml"
_PICTURES, _ARRAYS = 2, 16  # a call takes at most; see `OpenVinoEngine` and below


@dataclass(frozen=True, slots=True)
class OpenVinoMaker:
    """OpenVINO compiles a graph in a second, when it is opened; only int8 has to be built."""

    order: Order
    backend: str = "openvino"
    version: str = openvino.__version__
    machine: Machine = field(default_factory=lambda: Machine(processor()))
    built_for: Machine = ANY
    runs_here: bool = True

    def graph(self, network: Network) -> Path:
        return self.order.store.graph(self.order.entry, network)

    def profile(self, network: Network) -> None:  # noqa: ARG002 - the protocol
        return None

    def make(self, network: Network, folder: Path) -> None:
        if self._quantised:
            from engines.precision.int8 import quantise_ir  # noqa: PLC0415 - needs NNCF

            self.order.say(f"quantising {network.name} to int8")
            inputs = calibration(self.order)[network.name]
            quantise_ir(self.graph(network), network, inputs, folder / _BUILT)

    def open(self, network: Network, folder: Path) -> OpenVinoEngine:
        graph = folder / _BUILT if self._quantised else self.graph(network)
        wanted = self.order.wanted
        # The Pose Residual Network reads 285 MB of weights for each batch, which costs the same
        # for 1 person as for 8.
        most = _ARRAYS if network.pixels is None else wanted.max_batch or _PICTURES
        return OpenVinoEngine(
            graph,
            network,
            wanted.threads,
            most,
            self.order.precision,
            # What int8 leaves in float32 bears it, or would not bear int8 beside it.
            bfloat16=self._quantised and has_bfloat16(),
        )

    @property
    def _quantised(self) -> bool:
        return self.order.precision == "int8" and self.order.entry.precision != "int8"
