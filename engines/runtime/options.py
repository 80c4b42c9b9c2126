"""What can be chosen of how engines run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from engines.precision import Precision
from engines.sizes import Sizes

Backend = Literal["tensorrt", "torch", "openvino"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Choices; what is None is chosen by what the machine has.

    Attributes:
        backend: what runs the networks.
        precision: of the networks; see `engines.runtime.auto` for what is chosen.
        threads: of a CPU engine; 0 takes every core, or those of a container.
        max_batch: the most pictures a call takes.
        gpus: which of the machine's GPUs, by their number; all of them if None.
        gpu_memory: the most MiB of each GPU's memory.
        sizes: the least, usual and largest picture an engine is built for; those that the system
            makes if None.
        pictures: a folder of pictures that int8 is calibrated with and that engines are compared
            on; those that come with the package if None.
    """

    backend: Backend | None = None
    precision: Precision | None = None
    threads: int = 0
    max_batch: int | None = None
    gpus: tuple[int, ...] | None = None
    gpu_memory: int | None = None
    sizes: Sizes | None = None
    pictures: Path | None = None
