"""Engines of PyTorch on a GPU: nothing is built, but they are compared all the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from engines.building.gpu import device_memory, most_inputs, shapes_to_warm
from engines.building.maker import Order
from engines.catalog import Network
from engines.graphs import networks_of
from engines.machine import ANY, Machine
from engines.profile import profile_of
from engines.runtime.gpus import Gpu
from engines.runtime.torch import TorchEngine


@dataclass(frozen=True)
class TorchMaker:
    """Runs the checkpoint, which is read once for all networks of the model."""

    order: Order
    gpu: Gpu
    backend: str = "torch"
    version: str = torch.__version__
    built_for: Machine = ANY
    runs_here: bool = True

    @property
    def machine(self) -> Machine:
        return self.gpu.machine

    def graph(self, network: Network) -> Path:
        return self.order.store.graph(self.order.entry, network)

    def profile(self, network: Network) -> None:  # noqa: ARG002 - the protocol
        return None

    def make(self, network: Network, folder: Path) -> None:
        """Nothing."""

    def open(self, network: Network, folder: Path) -> TorchEngine:  # noqa: ARG002 - the protocol
        order = self.order
        (role,) = (role for role, one in order.entry.networks.items() if one == network)
        most = order.wanted.max_batch or most_inputs(order.entry, network)
        device_memory(self.gpu.device, order.wanted.gpu_memory)  # bounds what torch takes
        engine = TorchEngine(
            self._networks[role],
            network,
            device=self.gpu.device,
            precision=order.precision,
            max_batch=most,
        )
        usual = profile_of(
            order.entry, network, order.options, max_batch=most, sizes=order.wanted.sizes
        )
        engine.warm(shapes_to_warm(usual))
        return engine

    @cached_property
    def _networks(self) -> dict[str, nn.Module]:
        return networks_of(self.order.entry, self.order.store.checkpoint(self.order.entry))
