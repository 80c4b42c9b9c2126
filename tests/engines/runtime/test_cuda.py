"""A GPU's memory stays as it is over many batches, and within its limit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("torch", reason="engines on GPUs need torch, which is not installed")

import torch

from engines.catalog import find
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.runtime.cuda import DeviceMemory
from engines.runtime.torch import TorchEngine
from tests.gpu import DEVICE, needs_gpu

ABOUT = find("lightweight-openpose").networks["network"]
SHAPES = [(8, 256, 256, 3), (8, 256, 456, 3), (5, 256, 256, 3), (1, 128, 128, 3)]


@pytest.fixture
def memory() -> Iterator[DeviceMemory]:
    yield DeviceMemory(DEVICE)
    DeviceMemory(DEVICE)  # sets torch's share back to all


def engine(graphs: int) -> TorchEngine:
    return TorchEngine(
        LightweightOpenPose(1), ABOUT, device=DEVICE, precision="fp16", graphs=graphs
    )


@needs_gpu
@pytest.mark.parametrize("graphs", [0, 8])
def test_memory_is_flat_over_many_batches(graphs: int, memory: DeviceMemory) -> None:
    one = engine(graphs)
    one.warm(SHAPES[:2])
    batches = [np.zeros(shape, np.uint8) for shape in SHAPES]
    for _ in range(3):
        for batch in batches:
            one.infer(batch)
    used = memory.used

    pending = one.start(batches[0])
    for at in range(1000):
        following = one.start(batches[at % len(batches)])
        pending()
        pending = following
    pending()

    assert memory.used <= used + 2**24
    one.close()


@needs_gpu
def test_what_is_beyond_the_limit_is_refused_clearly(memory: DeviceMemory) -> None:
    torch.cuda.empty_cache()
    limit = memory.used // 2**20 + 256
    bounded = DeviceMemory(DEVICE, limit)
    one = engine(graphs=0)

    with pytest.raises(MemoryError, match=r"has no room for a batch of shape \(64, 1024, 1024, 3"):
        one.infer(np.zeros((64, 1024, 1024, 3), np.uint8))

    assert bounded.used <= bounded.limit
    assert one.infer(np.zeros((1, 64, 64, 3), np.uint8))


@needs_gpu
def test_what_others_than_torch_take_is_counted(memory: DeviceMemory) -> None:
    bounded = DeviceMemory(DEVICE, memory.used // 2**20 + 100)
    before = bounded.used

    bounded.take(60 * 2**20)
    assert bounded.used == before + 60 * 2**20
    with pytest.raises(MemoryError, match="no room for 60 MiB more"):
        bounded.take(60 * 2**20)
    bounded.give_back(60 * 2**20)

    assert bounded.used == before
