"""Which NVIDIA GPUs this machine has, asked without loading CUDA."""

from __future__ import annotations

import os
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from engines.machine import Machine

_VISIBLE, _ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that CUDA may use.

    Attributes:
        index: CUDA's number of it in this process.
        name, uuid: as its driver has them.
        capability: compute capability, major and minor.
        driver: the driver's version.
        memory: in bytes.
    """

    index: int
    name: str
    uuid: str
    capability: tuple[int, int]
    driver: str
    memory: int

    @property
    def device(self) -> str:
        """As torch calls it."""
        return f"cuda:{self.index}"

    @property
    def machine(self) -> Machine:
        """What an engine that was built on it depends on."""
        return Machine(self.name, ".".join(map(str, self.capability)), self.driver)


@dataclass(frozen=True, slots=True)
class Gpus:
    """Those there are, in CUDA's order; if none, `why`, for who operates the machine."""

    found: tuple[Gpu, ...] = ()
    why: str = ""


def gpus(environment: MutableMapping[str, str] = os.environ) -> Gpus:
    """The GPUs that CUDA may use in this process, numbered as CUDA does.

    NVML lists them in the order of their slots and heeds no variable. CUDA lists the fastest
    first unless told otherwise, so it is told here, where `CUDA_DEVICE_ORDER` is not set: ask
    before CUDA is loaded. Parts of a GPU (MIG) are not found.
    """
    try:
        import pynvml  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return Gpus(why="nvidia-ml-py is not installed")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Gpus(why=f"no NVIDIA driver: {error}")
    try:
        listed = _listed(pynvml)
    except pynvml.NVMLError as error:
        return Gpus(why=f"the NVIDIA driver does not answer: {error}")
    finally:
        pynvml.nvmlShutdown()
    if not listed:
        return Gpus(why="no NVIDIA GPU")
    environment.setdefault(_ORDER, "PCI_BUS_ID")
    found = visible(listed, environment.get(_VISIBLE))
    return Gpus(found, "" if found else f"{_VISIBLE} hides every GPU")


def visible(listed: Sequence[Gpu], chosen: str | None) -> tuple[Gpu, ...]:
    """The GPUs that are left by `CUDA_VISIBLE_DEVICES`, numbered anew.

    As CUDA reads it: numbers, or beginnings of UUIDs, of which the first that names no GPU ends
    the list; one that is named twice hides all.
    """
    if chosen is None:
        return tuple(listed)
    kept: list[Gpu] = []
    for token in chosen.split(","):
        one = _named(listed, token.strip())
        if one is None:
            break
        if one in kept:
            return ()
        kept.append(one)
    return tuple(replace(one, index=index) for index, one in enumerate(kept))


def _named(listed: Sequence[Gpu], token: str) -> Gpu | None:
    if token.isdecimal():
        return listed[int(token)] if int(token) < len(listed) else None
    of = [one for one in listed if token.startswith("GPU-") and one.uuid.startswith(token)]
    return of[0] if len(of) == 1 else None


def _listed(nvml: ModuleType) -> list[Gpu]:
    """In the order of their slots."""
    driver: str = nvml.nvmlSystemGetDriverVersion()
    handles = [nvml.nvmlDeviceGetHandleByIndex(at) for at in range(nvml.nvmlDeviceGetCount())]
    return [
        Gpu(
            index=index,
            name=nvml.nvmlDeviceGetName(handle),
            uuid=nvml.nvmlDeviceGetUUID(handle),
            capability=nvml.nvmlDeviceGetCudaComputeCapability(handle),
            driver=driver,
            memory=nvml.nvmlDeviceGetMemoryInfo(handle).total,
        )
        for index, handle in enumerate(handles)
    ]
