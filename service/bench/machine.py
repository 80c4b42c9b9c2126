"""What a measurement was made on, and with which versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from engines.runtime.gpus import gpus
from engines.runtime.openvino import processor

_PACKAGES = (
    "posewire",
    "torch",
    "openvino",
    "tensorrt",
    "tensorrt-rtx",
    "nncf",
)


def machine() -> str:
    """Processor, its cores, memory and GPUs, in words."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    parts = [processor(), f"{cores()} cores", f"{memory:.0f} GiB of memory"]
    parts += [f"{gpu.name} ({gpu.memory / 2**30:.0f} GiB)" for gpu in gpus().found]
    return ", ".join(parts)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))


def versions() -> dict[str, str]:
    """Of Python, and of those packages that matter and are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
