"""Tests that need a GPU: they are marked, and skipped by name where there is none."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import pytest

from engines.runtime.gpus import gpus
from engines.trt import NoTensorRTError, TensorRT, find_tensorrt

DEVICE = "cuda:0"
Test = TypeVar("Test", bound=Callable[..., object])


def needs_gpu(test: Test) -> Test:
    """Marks a test `gpu`, and skips it where PyTorch has none."""
    why = _missing()
    skipped: Test = pytest.mark.skipif(why is not None, reason=why or "")(test)
    marked: Test = pytest.mark.gpu(skipped)
    return marked


def tensorrt() -> TensorRT:
    """That which runs on the first GPU; skips the test where there is none."""
    found = gpus().found
    try:
        return find_tensorrt([found[0].machine.capability] if found else [])
    except NoTensorRTError as error:
        pytest.skip(f"needs TensorRT: {error}")


@cache
def _missing() -> str | None:
    """Why there is no GPU; None if there is one."""
    if importlib.util.find_spec("torch") is None:
        return "needs PyTorch, which is not installed"
    import torch  # noqa: PLC0415 - an extra

    if torch.cuda.is_available():
        return None
    return f"needs an NVIDIA GPU: {gpus().why or 'this PyTorch has no CUDA'}"
