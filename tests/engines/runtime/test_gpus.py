"""GPUs are found as the driver has them, and numbered as CUDA does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from engines.runtime.gpus import Gpu, gpus, visible
from tests.shared import ROOT

LISTED = tuple(
    Gpu(index, name, uuid, (8, 9), "580.1", 2**34)
    for index, (name, uuid) in enumerate([("A", "GPU-aa1"), ("B", "GPU-ab2"), ("C", "GPU-c3")])
)
# What NVML offers, in so far as it is asked; it has two GPUs.
NVML = r"""
#include <stdio.h>
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory;
int nvmlInitWithFlags(unsigned flags) { return 0; }
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *to, unsigned size) { strcpy(to, "580.95"); return 0; }
int nvmlDeviceGetCount_v2(unsigned *to) { *to = COUNT; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned at, void **to) { *to = (void *)(at + 1L); return 0; }
int nvmlDeviceGetName(void *of, char *to, unsigned size) { strcpy(to, "L4"); return 0; }
int nvmlDeviceGetUUID(void *of, char *to, int n) { sprintf(to, "GPU-%d", (int)(long)of); return 0; }
int nvmlDeviceGetCudaComputeCapability(void *of, int *a, int *b) { *a = 8; *b = 9; return 0; }
int nvmlDeviceGetMemoryInfo(void *of, memory *to) { to->total = 24ULL << 30; return 0; }
"""


def names(found: Sequence[Gpu]) -> list[tuple[int, str]]:
    return [(gpu.index, gpu.name) for gpu in found]


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        (None, [(0, "A"), (1, "B"), (2, "C")]),
        ("2,0", [(0, "C"), (1, "A")]),
        (" 1 , 2", [(0, "B"), (1, "C")]),
        ("GPU-c3,0", [(0, "C"), (1, "A")]),
        ("GPU-ab", [(0, "B")]),
        ("GPU-a", []),  # two begin so
        ("1,7,0", [(0, "B")]),
        ("0,-1,1", [(0, "A")]),
        ("1,GPU-ab2", []),
        ("", []),
        ("-1", []),
    ],
)
def test_gpus_are_numbered_as_cuda_is_told_to_see_them(
    chosen: str | None, left: list[tuple[int, str]]
) -> None:
    assert names(visible(LISTED, chosen)) == left


def test_a_gpu_is_called_as_torch_calls_it() -> None:
    (third,) = visible(LISTED, "2")

    assert third.device == "cuda:0"
    assert third.machine.capability == "8.9"


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is an NVIDIA driver")
def test_without_a_driver_the_reason_is_said() -> None:
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")

    assert gpus({}).found == ()
    assert "no NVIDIA driver" in gpus({}).why


def test_without_the_package_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)

    assert gpus({}).why == "nvidia-ml-py is not installed"


def asked_of_a_driver(folder: Path, count: int, chosen: str | None) -> str:
    """What a process sees that has such a driver."""
    pytest.importorskip("pynvml", reason="nvidia-ml-py is not installed")
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler, for a driver to ask")
    source, library = folder / "nvml.c", folder / "libnvidia-ml.so.1"
    source.write_text(NVML)
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-DCOUNT={count}", source, "-o", library], check=True
    )
    program = (
        "import os; from engines.runtime.gpus import gpus; g = gpus();"
        "print(g.why, [(x.index, x.name, x.uuid, x.capability, x.driver, x.memory >> 30)"
        " for x in g.found], os.environ['CUDA_DEVICE_ORDER'] if g.found else '')"
    )
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder), "PYTHONPATH": str(ROOT)}
    environment.pop("CUDA_DEVICE_ORDER", None)
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    if chosen is not None:
        environment["CUDA_VISIBLE_DEVICES"] = chosen
    asked = [sys.executable, "-c", program]
    answer = subprocess.run(asked, env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def test_a_driver_is_asked_for_its_gpus(tmp_path: Path) -> None:
    assert asked_of_a_driver(tmp_path, 2, "1") == (
        "[(0, 'L4', 'GPU-2', (8, 9), '580.95', 24)] PCI_BUS_ID"
    )


@pytest.mark.parametrize(
    ("count", "chosen", "why"),
    [(0, None, "no NVIDIA GPU"), (2, "", "CUDA_VISIBLE_DEVICES hides every GPU")],
)
def test_a_driver_without_gpus_to_use_is_told_apart(
    count: int, chosen: str | None, why: str, tmp_path: Path
) -> None:
    assert asked_of_a_driver(tmp_path, count, chosen) == f"{why} []"
