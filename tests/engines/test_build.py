"""From a checkpoint to a model that runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.catalog import find
from engines.model import load, run
from engines.weights import Store

torch = pytest.importorskip("torch", reason="torch is not installed")


def test_a_checkpoint_of_any_depth_becomes_a_model_that_runs(tmp_path: Path) -> None:
    from engines.build import build  # noqa: PLC0415 - needs torch
    from engines.networks.lightweight_openpose import LightweightOpenPose  # noqa: PLC0415

    checkpoint = tmp_path / "checkpoint.pth"
    network = LightweightOpenPose(refinement_stages=2)
    torch.save({"state_dict": network.state_dict(), "iter": 1}, checkpoint)
    store = Store(tmp_path / "cache")
    entry = find("lightweight-openpose")
    assert not store.ready(entry)
    assert build(entry, checkpoint, store).is_file()
    assert store.ready(entry)
    model = load(entry.name, store, height=128)
    people = run(model, np.zeros((100, 150, 3), np.uint8))
    assert people.keypoints.shape[1:] == (18, 3)
    model.close()


def test_a_model_that_is_published_ready_to_run_is_not_built(tmp_path: Path) -> None:
    from engines.build import build  # noqa: PLC0415 - needs torch

    entry = find("lightweight-openpose-int8")
    with pytest.raises(ValueError, match="posewire pull lightweight-openpose-int8"):
        build(entry, tmp_path / "checkpoint.pth", Store(tmp_path))


def test_a_checkpoint_that_does_not_fit_leaves_no_graph(tmp_path: Path) -> None:
    from engines.build import build  # noqa: PLC0415 - needs torch

    checkpoint = tmp_path / "checkpoint.pth"
    torch.save({"state_dict": {"weight": torch.zeros(1)}}, checkpoint)
    entry, store = find("lightweight-openpose"), Store(tmp_path / "cache")
    with pytest.raises(ValueError, match="unexpected: weight"):
        build(entry, checkpoint, store)
    assert not store.ready(entry)
