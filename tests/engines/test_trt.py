"""Which TensorRT is used, and what is said where there is none."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from engines.trt import NoTensorRTError, find_tensorrt

MODULES = ("tensorrt", "tensorrt_rtx")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which to install modules in place of this machine's."""
    for module in MODULES:
        monkeypatch.setitem(sys.modules, module, ModuleType(module))  # is put back afterwards
        monkeypatch.delitem(sys.modules, module)
        absent = f"No module named {module!r}"
        (tmp_path / f"{module}.py").write_text(f"raise ImportError({absent!r})")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_tensorrt_is_preferred(installed: Path) -> None:
    (installed / "tensorrt.py").write_text("__version__ = '10.12.0.36'")
    (installed / "tensorrt_rtx.py").write_text("__version__ = '1.7.1.116'")
    found = find_tensorrt(["9.0"])
    assert (found.name, found.version, found.is_rtx) == ("TensorRT", "10.12.0.36", False)
    assert found.module is sys.modules["tensorrt"]
    assert str(found) == "TensorRT 10.12.0.36"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("raise ImportError('libnvinfer.so.11: cannot open')", "libnvinfer.so.11: cannot open"),
        ("raise FileNotFoundError('Could not find: nvinfer_11.dll')", "Could not find: nvinfer"),
        ("__version__ = '10.9.0.34'", "10.9.0.34 is too old: 10.12 is needed"),
        ("__version__ = '8.6.1'", "8.6.1 is too old"),
    ],
)
def test_why_there_is_none_is_said(installed: Path, content: str, why: str) -> None:
    (installed / "tensorrt.py").write_text(content)
    with pytest.raises(NoTensorRTError) as said:
        find_tensorrt()
    assert f"TensorRT: {why}" in str(said.value)
    assert "TensorRT-RTX: No module named 'tensorrt_rtx'" in str(said.value)


def test_rtx_takes_the_place_of_a_tensorrt_that_cannot_be_used(installed: Path) -> None:
    (installed / "tensorrt.py").write_text("__version__ = '10.3.0'")
    (installed / "tensorrt_rtx.py").write_text("__version__ = '1.7.1.116'")
    assert find_tensorrt().name == "TensorRT-RTX"


def test_rtx_is_not_taken_for_gpus_that_it_has_nothing_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed")
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    assert find_tensorrt(["7.5", "8.0", "8.6", "8.9", "12.0"]).is_rtx
    with pytest.raises(NoTensorRTError, match=r"does not support GPUs of compute capability 9\.0"):
        find_tensorrt(["8.9", "9.0"])
