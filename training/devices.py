"""What a run computes on, alone or as one of several processes of torchrun."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from engines.runtime.openvino import has_bfloat16

_PATIENCE = timedelta(days=2)
_BFLOAT16 = (8, 0)  # the compute capability that has it


@dataclass(frozen=True, slots=True)
class Place:
    """One process of a run.

    Attributes:
        device: what it computes on.
        rank, of: its number, and how many there are.
    """

    device: torch.device
    rank: int = 0
    of: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and says how far the run is."""
        return self.rank == 0


@contextmanager
def place() -> Iterator[Place]:
    """This process', as torchrun tells it: a GPU each, or a part of the processor's cores."""
    of = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda", local) if on_gpu else torch.device("cpu")
    if on_gpu:
        torch.cuda.set_device(device)
    if of == 1:
        yield Place(device)
        return
    # Others wait while the first makes the pictures that are kept.
    distributed.init_process_group("nccl" if on_gpu else "gloo", timeout=_PATIENCE)
    try:
        yield Place(device, rank, of)
    finally:
        distributed.destroy_process_group()


def fast_type(device: torch.device) -> torch.dtype:
    """What a device multiplies fastest in: float32 on a processor without bfloat16."""
    if device.type == "cuda":
        capable = torch.cuda.get_device_capability(device) >= _BFLOAT16
        return torch.bfloat16 if capable else torch.float16
    return torch.bfloat16 if has_bfloat16() else torch.float32
