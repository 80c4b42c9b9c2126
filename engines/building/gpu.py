"""What engines of a GPU have in common, whatever runs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch

from engines.catalog import Entry, Network
from engines.profile import Profile
from engines.runtime.cuda import DeviceMemory
from engines.runtime.gpus import Gpu

# The most inputs of a call: crops of one size share a batch, pictures often differ in shape.
_CROPS, _PICTURES, _ARRAYS = 32, 8, 16


def most_inputs(entry: Entry, network: Network) -> int:
    """The most inputs of a call, unless another number is wanted."""
    if network.pixels is None:
        return _ARRAYS
    return _PICTURES if entry.input.width is None else _CROPS


def shapes_to_warm(profile: Profile) -> Iterator[tuple[int, ...]]:
    """Batches that are likely: of the usual size, of 1, 2, 4 and so on up to the most."""
    if profile.sizes is None:
        return
    _, usual, _ = profile.sizes
    count, most = 1, profile.batch[2]
    while count < most:
        yield (count, *usual, 3)
        count *= 2
    yield (most, *usual, 3)


@contextmanager
def current(gpu: Gpu | None) -> Iterator[None]:
    """Makes a GPU the one that CUDA works on, which is what TensorRT builds for."""
    if gpu is None:
        yield
        return
    with torch.cuda.device(gpu.device):
        yield


@cache
def device_memory(device: str, limit: int | None) -> DeviceMemory:
    """Of a GPU: one account for all engines of the process."""
    return DeviceMemory(device, limit)
