"""`python -m tests.benchmarks.training`: pictures a second that students learn from.

All take turns, so that a machine's drift touches all; what is given is the fastest of each.
Times are of the processor, not of the clock, for a machine that others use too: with one thread
they are what a core of its own would take.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from engines.skeletons import OPENPOSE_18
from training.batches import Batch
from training.config import STRIDE, Config, Source, Student, Training
from training.devices import Place
from training.loop import learner

_CASES = [  # width, blocks, batch, side, precision
    (0.5, 3, 16, 192, "bfloat16"),
    (0.5, 3, 16, 192, "float32"),
    (0.5, 3, 32, 192, "bfloat16"),
    (0.5, 3, 64, 192, "bfloat16"),
    (0.5, 5, 16, 192, "bfloat16"),
    (0.5, 3, 16, 224, "bfloat16"),
    (0.6, 3, 16, 192, "bfloat16"),
    (0.75, 3, 16, 192, "bfloat16"),
    (0.75, 3, 16, 192, "float32"),
    (1.0, 5, 16, 192, "bfloat16"),
]


@dataclass(slots=True)
class Candidate:
    """A student, a step of it, and what was measured."""

    name: str
    batch: int
    step: Callable[[], object]
    seconds: list[float] = field(default_factory=list)


def main(turns: int, threads: int) -> None:
    """Prints a line of each."""
    torch.set_num_threads(threads)
    candidates = [_candidate(*case) for case in _CASES]
    for turn in range(turns + 1):  # the first is not counted
        for candidate in candidates if turn % 2 else reversed(candidates):
            began = time.process_time()
            candidate.step()
            if turn:
                candidate.seconds.append(time.process_time() - began)
    first = candidates[0].batch / min(candidates[0].seconds)
    print(f"{'width blocks batch side precision':36} pictures/s of a core, of the first")
    for candidate in candidates:
        rate = candidate.batch / min(candidate.seconds)
        print(f"{candidate.name:36} {rate:8.1f} {rate / first:5.2f}")


def _candidate(width: float, blocks: int, batch: int, side: int, precision: str) -> Candidate:
    config = Config(
        data=(Source.model_validate({"images": "."}),),
        student=Student(width=width, blocks=blocks),
        training=Training(batch=batch, crop=side, precision=precision),
    )
    made = learner(config, OPENPOSE_18, Place(torch.device("cpu")))
    cells, channels = side // STRIDE, 1 + len(OPENPOSE_18.keypoints) + 2 * len(OPENPOSE_18.limbs)
    images = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    maps = torch.rand(batch, channels, cells, cells).contiguous(memory_format=torch.channels_last)
    given = Batch(images, maps, torch.ones_like(maps))
    name = f"{width:<5} {blocks:<6} {batch:<5} {side:<4} {precision}"
    return Candidate(name, batch, lambda: made.step(0, given))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    main(**vars(parser.parse_args()))
