"""From the authors' checkpoints to graphs that an engine runs as torch runs the networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks are exported from torch, which is not installed")
pytest.importorskip("onnxscript", reason="torch exports with onnxscript, which is not installed")

import torch

from engines import checkpoints
from engines.catalog import find
from engines.graphs import make_graphs, network_of
from engines.loading import load
from engines.model import run
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.networks.multiposenet import MultiPoseNet
from engines.networks.prn import PoseResidualNetwork
from engines.options import Options
from engines.systems import RESCORING
from engines.weights import Store
from tests.parity.exports import check
from tests.shared import shared

pytestmark = pytest.mark.xdist_group("exports")

# One of each definition; `python -m tests.parity.exports DIR` checks every model.
DEFINITIONS = (
    "lightweight-openpose",
    "openpose-coco",
    "openpose-body25",
    "hrnet-w32-256x192",
    "dekr-w32-crowdpose",
    "multiposenet-resnet50",
)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_an_imported_checkpoint_runs_on_the_engine_as_in_torch(
    name: str, exports: Callable[[str], Path]
) -> None:
    figure = check(find(name), shared("fixtures"), exports(name))
    assert figure.passed, figure.text


def test_a_checkpoint_of_any_depth_becomes_a_model_that_runs(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pth"
    network = LightweightOpenPose(refinement_stages=2)
    torch.save({"state_dict": network.state_dict(), "iter": 1}, checkpoint)
    store = Store(tmp_path / "cache")
    entry = find("lightweight-openpose")
    assert not store.ready(entry)
    assert all(path.is_file() for path in make_graphs(entry, checkpoint, store))
    assert store.ready(entry)
    model = load(entry.name, store, Options(height=128))
    people = run(model, np.zeros((100, 150, 3), np.uint8))
    assert people.keypoints.shape[1:] == (18, 3)
    model.close()


@pytest.mark.parametrize("layers", [1, 2])
def test_a_pose_residual_network_alone_replaces_that_of_multiposenet(
    layers: int, tmp_path: Path
) -> None:
    checkpoint, entry = tmp_path / "PRN.pth.tar", find("multiposenet-resnet50")
    torch.save({"state_dict": PoseResidualNetwork(layers).state_dict()}, checkpoint)
    (made,) = make_graphs(entry, checkpoint, Store(tmp_path))
    assert made == Store(tmp_path).graph(entry, entry.networks["prn"])


def test_multiposenets_network_has_the_layers_of_its_checkpoints_prn() -> None:
    parameters = {key: torch.zeros(0) for key in MultiPoseNet(50, prn_layers=1).state_dict()}
    network = network_of(find("multiposenet-resnet50"), parameters)
    assert network.state_dict().keys() == parameters.keys()


def rescoring(inputs: int) -> dict[str, torch.Tensor]:
    """Parameters of a rescoring network that takes so many features."""
    shapes = {"l1": (256, inputs), "l2": (256, 256), "l3": (1, 256)}
    weights = {f"{name}.weight": torch.rand(shape) for name, shape in shapes.items()}
    return weights | {f"{name}.bias": torch.rand(shape[0]) for name, shape in shapes.items()}


def test_dekrs_rescoring_network_is_kept_for_its_decoding(tmp_path: Path) -> None:
    layers = rescoring(74)
    torch.save(layers, tmp_path / "final_rescore_coco_kpt.pth")
    entry, store = find("dekr-w32-coco"), Store(tmp_path / "cache")
    (made,) = make_graphs(entry, tmp_path / "final_rescore_coco_kpt.pth", store)
    assert made == store.imported(entry) / RESCORING
    with np.load(made) as kept:
        assert {key: value.shape for key, value in kept.items()} == {
            key: tuple(value.shape) for key, value in layers.items()
        }


def test_a_rescoring_network_of_another_skeleton_is_refused(tmp_path: Path) -> None:
    torch.save(rescoring(59), tmp_path / "crowd.pth")
    store = Store(tmp_path / "cache")
    with pytest.raises(checkpoints.CheckpointError, match=r"takes 59 features.* gives 74"):
        make_graphs(find("dekr-w32-coco"), tmp_path / "crowd.pth", store)
    make_graphs(find("dekr-w32-crowdpose"), tmp_path / "crowd.pth", store)


def test_a_model_that_is_published_ready_to_run_is_not_built(tmp_path: Path) -> None:
    entry = find("lightweight-openpose-int8")
    with pytest.raises(ValueError, match="lightweight-openpose-int8 is not made of a checkpoint"):
        make_graphs(entry, tmp_path / "checkpoint.pth", Store(tmp_path))


def test_only_dekr_has_deformable_convolutions_to_export(tmp_path: Path) -> None:
    checkpoint, store = tmp_path / "checkpoint.pth", Store(tmp_path / "cache")
    torch.save(LightweightOpenPose(1).state_dict(), checkpoint)
    with pytest.raises(ValueError, match="no deformable convolutions"):
        make_graphs(find("lightweight-openpose"), checkpoint, store, deform_conv=True)


def test_a_checkpoint_that_does_not_fit_leaves_no_graph(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint.pth"
    torch.save({"state_dict": {"weight": torch.zeros(1)}}, checkpoint)
    entry, store = find("lightweight-openpose"), Store(tmp_path / "cache")
    with pytest.raises(checkpoints.CheckpointError, match="unexpected: weight"):
        make_graphs(entry, checkpoint, store)
    assert not store.ready(entry)
