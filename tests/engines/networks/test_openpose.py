from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are defined in torch, which is not installed")

import numpy as np
import openvino
import torch
from torch import nn

from engines.networks.openpose import OpenPose
from engines.networks.openpose_body25 import OpenPoseBody25
from tests.shared import shared

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "coco": lambda: OpenPose(19, 38),
    "mpi": lambda: OpenPose(16, 28),
    "body25": OpenPoseBody25,
}


def without_values(name: str) -> nn.Module:
    """A network of shapes alone, which takes no time to fill."""
    with torch.device("meta"):
        return NETWORKS[name]().eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_its_keys_and_shapes_are_the_layers_of_the_prototxt_in_order(name: str) -> None:
    path = shared(f"fixtures/networks/openpose-{name}.keys.json")
    official = json.loads(path.read_text(encoding="utf-8"))

    own = without_values(name).state_dict()

    assert [[key, list(value.shape)] for key, value in own.items()] == official


@pytest.mark.parametrize(("name", "heatmaps", "pafs"), [("coco", 19, 38), ("body25", 26, 52)])
def test_its_maps_are_an_eighth_of_the_input(name: str, heatmaps: int, pafs: int) -> None:
    maps = without_values(name)(torch.zeros(2, 3, 64, 96, device="meta"))

    assert maps.heatmaps.shape == (2, heatmaps, 8, 12)
    assert maps.pafs.shape == (2, pafs, 8, 12)


def test_it_gives_the_last_of_its_six_stages() -> None:
    network = OpenPose(16, 28).eval()
    image = torch.rand(1, 3, 16, 16)

    with torch.inference_mode():
        stages = network.stages(image)
        last = network(image)

    assert len(stages) == 6
    assert torch.equal(last.heatmaps, stages[-1].heatmaps)
    assert not torch.equal(last.heatmaps, stages[-2].heatmaps)


def test_the_exported_graph_agrees_with_torch(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="torch exports with onnxscript, not installed")
    from engines.export import export  # noqa: PLC0415 - needs onnxscript

    network, path = OpenPoseBody25().eval(), tmp_path / "openpose.onnx"
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    export(network, path, mean=[128] * 3, scale=[256] * 3)
    image = np.random.default_rng(0).integers(0, 256, (2, 48, 72, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(torch.from_numpy(image).permute(0, 3, 1, 2) / 256 - 0.5)

    exact = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 2}
    ours = openvino.compile_model(path, "CPU", exact)([image])

    for name, theirs in expected._asdict().items():
        assert np.abs(ours[name] - theirs.numpy()).max() <= 1e-3 * theirs.abs().max()
