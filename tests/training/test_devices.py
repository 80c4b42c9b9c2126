"""Several processes learn together as one would."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

import torch

from engines.skeletons import OPENPOSE_18
from tests.shared import ROOT
from tests.training.drawn import folder_of_four, run_of, silent
from training.batches import Batches
from training.checkpoint import averaged_network
from training.devices import Place
from training.keeping import made, make
from training.loop import learner


def test_two_processes_have_the_gradient_of_one_and_leave_one_checkpoint(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    config = run_of(annotations)
    make(config, None, tmp_path / "kept", silent)
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*run, "-m", "tests.training.ddp", str(annotations), str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=120,
    )

    alone = learner(config, OPENPOSE_18, Place(torch.device("cpu")))
    kept = made(config, tmp_path / "kept")
    batch = next(Batches(kept, config.training, OPENPOSE_18, config.seed).since(0))
    alone.losses(alone.stages.eval(), batch).sum().backward()  # type: ignore[no-untyped-call]

    for rank in range(2):
        gradient = torch.load(tmp_path / f"{rank}.pt")
        for name, parameter in alone.state.network.named_parameters():
            torch.testing.assert_close(gradient[name], parameter.grad, rtol=1e-3, atol=1e-5)
    assert averaged_network(tmp_path / "checkpoint.pt")
