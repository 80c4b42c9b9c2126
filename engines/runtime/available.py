"""Looks what this machine has to run networks on."""

from __future__ import annotations

from importlib.util import find_spec

from engines.runtime.auto import Available
from engines.runtime.gpus import gpus
from engines.runtime.openvino import has_bfloat16
from engines.runtime.options import EngineOptions
from engines.trt import NoTensorRTError, find_tensorrt


def available(wanted: EngineOptions) -> Available:
    """What this machine has, of the GPUs that are wanted."""
    there = gpus()
    found = tuple(gpu for gpu in there.found if wanted.gpus is None or gpu.index in wanted.gpus)
    why = there.why or (f"none of the GPUs is {wanted.gpus}" if not found else "")
    if not found and wanted.backend in {None, "openvino"}:
        return Available(no_gpus=why, bfloat16=has_bfloat16())  # nothing else matters
    absent, builds_without_gpu = {}, False
    try:
        tensorrt = find_tensorrt([gpu.machine.capability for gpu in found])
        builds_without_gpu = tensorrt.is_rtx
    except NoTensorRTError as error:
        absent["tensorrt"] = str(error)
    if find_spec("torch") is None:
        absent["torch"] = "PyTorch is not installed"
    elif found and not _torch_has_cuda():
        absent["torch"] = "this build of PyTorch has no CUDA"
    return Available(found, why, has_bfloat16(), absent, builds_without_gpu)


def _torch_has_cuda() -> bool:
    import torch  # noqa: PLC0415 - takes seconds, and a GPU to be of use

    return torch.cuda.is_available()
