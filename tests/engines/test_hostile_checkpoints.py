"""Checkpoints and graphs that a stranger made never run code, and open no other files."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="checkpoints are torch's, which is not installed")
pytest.importorskip("onnx", reason="it writes the graphs to read")
pytest.importorskip("h5py", reason="it writes checkpoints to read")

import h5py
import onnx
import torch
from onnx import TensorProto, helper

from engines import checkpoints
from engines.catalog import Network, find
from engines.checkpoints import CheckpointError
from engines.importing import bring
from engines.runtime.openvino import OpenVinoEngine
from engines.weights import Store

PARAMETERS = {"0.weight": torch.ones(2, 3)}


class Call:
    """Pickled, what is to be called when it is read."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.reduced = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Is there once code has run."""
    return tmp_path / "ran"


def attacks(victim: Path) -> dict[str, Any]:
    code = f"open({str(victim)!r}, 'w')"
    return {
        "a shell": Call(os.system, f"touch {victim}"),
        "a process": Call(subprocess.check_call, ["touch", str(victim)]),
        "eval": Call(eval, code),
        "exec": Call(exec, code),
        "a file": Call(open, str(victim), "w"),
        "an import": Call(__import__, "antigravity"),
        "a pickle in it": Call(pickle.loads, pickle.dumps(Call(exec, code))),
        "torch.load": Call(torch.load, str(victim)),
        "a NumPy file": Call(np.load, str(victim), None, True),
        "getattr": Call(getattr, [], "append"),
    }


NAMES = tuple(attacks(Path("x")))
WAYS = ("zipped", "legacy", "bare")


def written(content: Any, way: str, path: Path) -> Path:
    if way == "bare":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=way == "zipped")
    return path


def assert_refused_without_running(path: Path, victim: Path) -> None:
    with pytest.raises(CheckpointError) as refused:
        checkpoints.read(path)
    assert "\n" not in str(refused.value)
    assert not victim.exists()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_code_beside_the_parameters_is_not_run(
    name: str, way: str, tmp_path: Path, victim: Path
) -> None:
    content = {"state_dict": PARAMETERS, "hook": attacks(victim)[name]}
    assert_refused_without_running(written(content, way, tmp_path / "a.pth"), victim)


@pytest.mark.parametrize("suffix", [".h5", ".safetensors", ".caffemodel", ".onnx", ""])
@pytest.mark.parametrize("way", WAYS)
def test_code_under_another_name_is_not_run(
    suffix: str, way: str, tmp_path: Path, victim: Path
) -> None:
    path = written({"model": attacks(victim)["exec"]}, way, tmp_path / f"a{suffix}")
    assert_refused_without_running(path, victim)


@pytest.mark.parametrize("hidden", ["key", "name of a key", "storage", "nested", "wrapped"])
def test_code_in_any_place_is_not_run(hidden: str, tmp_path: Path, victim: Path) -> None:
    call = attacks(victim)["exec"]
    content: Any = {
        "key": {"state_dict": {**PARAMETERS, "1.weight": call}},
        "name of a key": [(call, 1)],
        "storage": {"a": torch.nn.Parameter(torch.ones(1)), "b": [call] * 2},
        "nested": {"state_dict": PARAMETERS, "a": {"b": [{"c": (call,)}]}},
        "wrapped": {"ema": call, "model": PARAMETERS},
    }[hidden]
    assert_refused_without_running(written(content, "zipped", tmp_path / "a.pth"), victim)


def archive(names: dict[str, bytes], path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in names.items():
            made.writestr(name, data)
    return path


def packed(content: Any, path: Path) -> bytes:
    return written(content, "zipped", path).read_bytes()


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path, victim: Path) -> None:
    inner = packed(attacks(victim)["exec"], tmp_path / "inner")
    path = archive({"archive/data.pkl": inner, "archive/version": b"3"}, tmp_path / "a.pth")
    assert_refused_without_running(path, victim)


def test_a_scripted_module_is_not_loaded(tmp_path: Path, victim: Path) -> None:
    """TorchScript's archives hold code; torch.load would hand them to torch.jit.load."""
    code = pickle.dumps(attacks(victim)["exec"], 2)
    names = {"archive/constants.pkl": code, "archive/data.pkl": code, "archive/version": b"3"}
    assert_refused_without_running(archive(names, tmp_path / "a.pth"), victim)


def test_a_tar_file_of_old_is_not_unpacked(tmp_path: Path, victim: Path) -> None:
    path = tmp_path / "a.pth"
    with tarfile.open(path, "w") as made:
        for name in ("storages", "tensors", "pickle", f"../{victim.name}", str(victim)):
            data = pickle.dumps(attacks(victim)["exec"], 2)
            (entry := tarfile.TarInfo(name)).size = len(data)
            made.addfile(entry, io.BytesIO(data))
    assert_refused_without_running(path, victim)


def test_a_path_out_of_an_archive_is_not_written(tmp_path: Path, victim: Path) -> None:
    whole = packed(PARAMETERS, tmp_path / "whole")
    with zipfile.ZipFile(io.BytesIO(whole)) as good:
        names = {name: good.read(name) for name in good.namelist()}
    names |= {f"../../{victim.name}": b"x", str(victim): b"x"}
    assert_refused_without_running(archive(names, tmp_path / "a.pth"), victim)


def test_an_hdf5_file_holds_no_pickle_that_is_read(tmp_path: Path, victim: Path) -> None:
    """What Keras or pandas keep in attributes and objects."""
    code = np.void(pickle.dumps(attacks(victim)["exec"]))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["weight"] = np.ones(2)
        file["weight"].attrs["CLASS"] = file.attrs["model_config"] = code
    assert checkpoints.read(tmp_path / "a.h5").keys() == {"weight"}
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["weight"] = code
    assert_refused_without_running(tmp_path / "b.h5", victim)


@pytest.mark.parametrize(
    "start", [b"", b"\x40\0\0\0\0\0\0\0{", b"\x0a\x03net", b"\x89HDF\r\n\x1a\n"]
)
def test_a_pickle_behind_the_first_bytes_of_another_kind_is_not_run(
    start: bytes, tmp_path: Path, victim: Path
) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(start + pickle.dumps(attacks(victim)["exec"]) + bytes(100))
    assert_refused_without_running(path, victim)


def graph(location: str) -> Any:
    """Whose parameters lie in another file."""
    weight = TensorProto(name="weight", data_type=TensorProto.FLOAT, dims=[3, 3, 1, 1])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "36"}.items():
        weight.external_data.add(key=key, value=value)
    shape = [1, 3, 416, 416]
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
    taken = helper.make_tensor_value_info("output", TensorProto.FLOAT, shape)
    node = helper.make_node("Conv", ["images", "weight"], ["output"])
    made = helper.make_graph([node], "net", [given], [taken], [weight])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


NETWORK = Network("net", "a.onnx", {"output": "output"}, None)


def test_a_graph_may_keep_parameters_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(bytes(36))
    (tmp_path / "a.onnx").write_bytes(graph("weights").SerializeToString())
    OpenVinoEngine(tmp_path / "a.onnx", NETWORK).close()


@pytest.mark.parametrize("where", ["/etc/passwd", "../secret", "a/../../secret", "{folder}/secret"])
def test_a_graph_reads_no_parameters_from_outside_its_folder(where: str, tmp_path: Path) -> None:
    folder = tmp_path / "download"
    folder.mkdir()
    (folder / "a").mkdir()
    (tmp_path / "secret").write_bytes(bytes(36))
    path = folder / "a.onnx"
    path.write_bytes(graph(where.format(folder=tmp_path)).SerializeToString())
    with pytest.raises(RuntimeError):  # OpenVINO
        OpenVinoEngine(path, NETWORK)
    with pytest.raises(onnx.checker.ValidationError):  # what TensorRT's engines are made with
        onnx.load(path)
    with pytest.raises(ValueError, match="not of the form"):
        bring(find("yolox-nano"), path, Store(tmp_path / "cache"))
    assert not list((tmp_path / "cache").rglob("*.onnx"))
