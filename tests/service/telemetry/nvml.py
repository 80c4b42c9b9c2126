"""A stand-in for NVIDIA's library, where there is no GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class NvmlError(Exception):
    """What the library raises for a value that a GPU does not tell."""


def nvml(**instead: Any) -> Any:
    """One whose GPUs are half busy, at 40 degrees and 250 W, with a GiB in use; but for what is
    given instead.
    """
    told = {
        "NVMLError": NvmlError,
        "NVML_TEMPERATURE_GPU": 0,
        "nvmlDeviceGetHandleByUUID": lambda uuid: uuid,
        "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=50),
        "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(used=2**30),
        "nvmlDeviceGetTemperature": lambda _, __: 40,
        "nvmlDeviceGetPowerUsage": lambda _: 250_000,
    }
    return SimpleNamespace(**(told | instead))
