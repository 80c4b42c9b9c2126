"""Real servers of models in other precisions than the published: built, compared, or refused."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from engines.catalog import find
from engines.runtime.openvino import has_bfloat16
from engines.weights import Store
from tests.e2e.server import Server, environment, fails, free_port, server, until
from tests.engines.exported import exported

pytest.importorskip("nncf", reason="int8 needs NNCF, which is not installed")

NAME, POSES, DETECTOR = "lightweight-openpose", "top-down-256x192", "yolox-nano"
BUILD_S = 120.0
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A cache with Lightweight OpenPose, whose parameters are made up."""
    return exported(find(NAME), tmp_path_factory.mktemp("made-up"))


def served(started: Server) -> list[dict[str, Any]]:
    """What /v1/models says of the models."""
    models: list[dict[str, Any]] = httpx.get(f"{started.http}/v1/models").json()["models"]
    return models


@pytest.mark.parametrize(("precision", "build"), [("int8", "quantising"), ("bf16", "comparing")])
def test_a_service_is_not_ready_before_its_engine_is_built_and_compared_which_happens_once(
    made_up: Store, tmp_path: Path, astronaut: bytes, precision: str, build: str
) -> None:
    if precision == "bf16" and not has_bfloat16():
        pytest.skip("this processor has no bfloat16")
    settings = environment(made_up, models=NAME, height="64", precision=precision) | NO_GPU
    with server(settings, tmp_path / "first", ready="/healthz") as first:
        until(lambda: build in first.log, BUILD_S)
        status = httpx.get(f"{first.http}/readyz").status_code
        assert status == 503 or "ready: " in first.log
        until(lambda: first.answers("/readyz"), BUILD_S)
        (info,) = served(first)
        assert httpx.post(f"{first.http}/v1/poses", content=astronaut).status_code == 200
    assert (info["engine"], info["precision"], info["devices"]) == ("openvino", precision, ["cpu"])
    assert info["why"].startswith("not tensorrt or torch")
    assert f"{NAME} runs on openvino, {precision}, on cpu: {info['why']}" in first.log
    assert first.log.index(build) < first.log.index("ready: ")
    with server(settings, tmp_path / "second") as second:
        assert served(second) == [info]
    assert not re.search("quantising|comparing", second.log)
    assert "Traceback" not in first.log + second.log


def test_an_engine_that_differs_too_much_ends_the_service_with_one_line_and_status_4(
    store: Store, tmp_path: Path
) -> None:
    kept = Store(tmp_path, store.mirror)
    settings = environment(kept, models=DETECTOR, precision="int8") | NO_GPU
    for built in (True, False):  # the second time, without being built again
        ended = fails(settings, free_port(), free_port())
        assert ended.returncode == 4
        assert ("quantising" in ended.stderr) == built
        (line,) = (line for line in ended.stderr.splitlines() if " INFO " not in line)
        assert line.startswith(f"posewire: {DETECTOR} in int8 is not used")
        assert f"{DETECTOR}/detections differs" in line
    left = [path.name for path in kept.engines(find(DETECTOR)).rglob("*") if path.is_file()]
    assert sorted(left) == [".lock", "sidecar.json"]


def test_a_detector_that_is_loaded_with_a_model_keeps_its_published_precision(
    store: Store, tmp_path: Path, astronaut: bytes
) -> None:
    kept = Store(tmp_path / "cache", store.mirror)
    write_network(kept.graph(find(POSES), find(POSES).networks["network"]))
    settings = environment(kept, models=POSES, precision="int8") | NO_GPU
    with server(settings, tmp_path / "log") as started:
        assert [(info["name"], info["precision"]) for info in served(started)] == [
            (POSES, "int8"),
            (DETECTOR, "fp32"),
        ]
        answer = httpx.post(f"{started.http}/v1/poses", content=astronaut)
    assert len(answer.json()["people"]) == 1
    assert f"quantising {DETECTOR}" not in started.log


def write_network(path: Path) -> None:
    """Writes a top-down network of an easy kind: every keypoint has its place, whatever it sees,
    and a little noise of the picture."""
    onnx = pytest.importorskip("onnx", reason="a network is written with onnx: not installed")
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :48]
    places = random.uniform(10, 38, (17, 2)).round() + 0.3  # between pixels, nearer to one
    away = [(rows - row) ** 2 + (columns - column) ** 2 for row, column in places]
    tensors = {
        "weights": random.normal(0, 1e-3, (17, 3, 4, 4)),
        "peaks": np.exp(-np.array(away) / 8)[None],
    }
    nodes = [
        onnx.helper.make_node("Conv", ["picture", "weights"], ["noise"], strides=[4, 4]),
        onnx.helper.make_node("Add", ["noise", "peaks"], ["heatmaps"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        POSES,
        [onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, ["N", 3, 256, 192])],
        [onnx.helper.make_tensor_value_info("heatmaps", onnx.TensorProto.FLOAT, ["N", 17, 64, 48])],
        [
            onnx.numpy_helper.from_array(values.astype(np.float32), name)
            for name, values in tensors.items()
        ],
    )
    opsets = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, os.fspath(path))


def test_a_service_that_is_told_to_stop_while_it_builds_ends_at_once(
    made_up: Store, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(made_up.cache, cache, ignore=shutil.ignore_patterns("engines"))
    settings = environment(Store(cache), models=NAME, height="128", precision="int8") | NO_GPU
    with server(settings, tmp_path / "log", ready="/healthz") as started:
        until(lambda: "quantising" in started.log, BUILD_S)
        assert started.stop(within=8) == 0
        assert "stopped" in started.log
        assert "ready: " not in started.log
