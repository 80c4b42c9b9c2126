"""`python -m torch.distributed.run ... tests/training/ddp.py ANNOTATIONS FOLDER`: a run of two
processes, each of which leaves its gradient of the first batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from engines.skeletons import OPENPOSE_18
from tests.training.drawn import run_of, silent
from training.batches import Batches, Part
from training.devices import place
from training.keeping import made
from training.loop import learner, train


def main(annotations: Path, folder: Path) -> None:
    torch.set_num_threads(1)
    config = run_of(annotations)
    kept = made(config, folder / "kept")
    with place() as here:
        part = Part(here.rank, here.of)
        batches = Batches(kept, config.training, OPENPOSE_18, config.seed, part=part)
        ours = learner(config, OPENPOSE_18, here)
        # Otherwise each half of a batch would be normalised by itself.
        ours.losses(ours.stages.eval(), next(batches.since(0))).sum().backward()  # type: ignore[no-untyped-call]
        gradient = {name: p.grad for name, p in ours.state.network.named_parameters()}
        train(config, kept, folder, here, silent)
        torch.save(gradient, folder / f"{here.rank}.pt")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
