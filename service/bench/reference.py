"""What engines are measured against: PyTorch as the authors' own code runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from engines.catalog import Entry, Network
from engines.graphs import network_of, networks_of
from engines.importing import bring
from engines.networks.on_pixels import OnPixels
from engines.runtime.engine import Batch, Maps
from engines.weights import Store
from service.bench.work import Error, Work


class Eager:
    """The authors' network in PyTorch, operator by operator in float32, nothing folded or fused,
    with pictures in PyTorch's own layout (NCHW).

    Args:
        network: it is moved to the device.
        about: its outputs and pixels.
        device: "cpu", or "cuda:0" and so on.
        tf32: whether a GPU's convolutions use TensorFloat32, as PyTorch lets them by itself.
    """

    def __init__(
        self, network: nn.Module, about: Network, device: str, *, tf32: bool = False
    ) -> None:
        if about.pixels is None:
            raise ValueError(f"{about.name} takes no pictures")
        form, self._device, self._tf32 = about.pixels, device, tf32
        whole = OnPixels(_InRows(network), form.mean, form.scale, form.rgb)
        self._network, self._names = whole.eval().to(device), tuple(about.outputs)

    @torch.inference_mode()
    def infer(self, batch: Batch) -> Maps:
        """The answers to (N, h, w, 3) uint8 pictures, on the host."""
        torch.backends.cudnn.allow_tf32 = self._tf32  # engines set it too
        made = self._network(torch.from_numpy(batch).to(self._device))
        return {
            name: one.float().cpu().numpy() for name, one in zip(self._names, made, strict=True)
        }


class _InRows(nn.Module):
    """A network that is given a channel's rows one after the other, which pixels are not."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        made: torch.Tensor | tuple[torch.Tensor, ...] = self.network(pixels.contiguous())
        return made


def work_of(network: nn.Module, eager: Eager, batch: Batch) -> Work:
    """Of a network that `eager` runs."""
    values: list[int] = []

    def count(layer: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        parameters = sum(parameter.numel() for parameter in layer.parameters())
        values.append(given[0].numel() + made.numel() + parameters)

    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    layers = [layer for layer in network.modules() if isinstance(layer, kinds)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with FlopCounterMode(display=False) as counter:
        eager.infer(batch)
    for hook in hooks:
        hook.remove()
    flop = counter.get_total_flops()
    return Work(flop / len(batch) / 1e9, len(values), flop / sum(values))


@dataclass(frozen=True, slots=True)
class Subject:
    """A model's files and its network in PyTorch.

    Attributes:
        made_up: whether the parameters are PyTorch's own initialisation.
    """

    store: Store
    network: nn.Module
    made_up: bool


def subject(entry: Entry, store: Store, work: Path) -> Subject:
    """A model with the user's checkpoint or, where there is none, with made-up parameters.

    Args:
        entry: of the catalogue.
        store: where the user's are.
        work: takes made-up ones, and what is built of them.

    Raises:
        ValueError: the model is not made of a checkpoint.
        CheckpointError, OSError: the checkpoint cannot be read.
    """
    if entry.checkpoint is None:
        raise ValueError(
            f"{entry.name} is published without its network in PyTorch: there is nothing to "
            "measure it against"
        )
    made_up = not (store.checkpoint(entry).is_file() and store.ready(entry))
    if made_up:
        store = Store(work)
        _make_up(entry, store)
    network = networks_of(entry, store.checkpoint(entry), fused=False)["network"]
    return Subject(store, network, made_up)


def _make_up(entry: Entry, store: Store) -> None:
    if store.ready(entry):  # of an earlier case
        return
    torch.manual_seed(0)
    file = store.cache / f"{entry.name}.pth"
    torch.save(network_of(entry, {}).state_dict(), file)
    bring(entry, file, store)
    file.unlink()


def error_of(given: Maps, expected: Maps) -> Error:
    """How far answers are from PyTorch's."""
    shares = []
    for name, values in expected.items():
        errors = np.abs(given[name] - values, dtype=np.float64) / np.abs(values).max()
        shares.append((errors.max(), errors.mean()))
    return Error(*(float(worst) for worst in np.max(shares, axis=0)))
