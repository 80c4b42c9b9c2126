"""Mutated pictures against the decoder: `python -m tests.load.fuzz --count 100000 --kind all`.

What teaches something is kept in the corpus' folder for the next run. What crashes, raises
anything but a refusal, or takes more than 250 ms or 200 MB is written to its `failures`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

from service.images.codec import ImageLimits, decode
from tests.load.fuzz.corpus import Corpus
from tests.load.fuzz.mutations import mutate
from tests.load.fuzz.worker import Outcome, Worker

KINDS: Final = ("JPEG", "PNG", "WebP", "BMP")
MOST_MS: Final = 250.0
MOST_MB: Final = 200.0
_TOGETHER: Final = 32
_REPEATS: Final = 3  # of a slow one: other work on the machine slows it too, so the least counts


@dataclass(slots=True)
class Report:
    """What a campaign against one type found."""

    kind: str
    inputs: int = 0
    results: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    largest_mb: float = 0.0
    kept: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        self.inputs += 1
        self.results[outcome.result.split(" ")[0].rstrip(":")] += 1
        self.slowest_ms = max(self.slowest_ms, outcome.ms)
        self.largest_mb = max(self.largest_mb, outcome.mb)

    def lines(self) -> list[str]:
        rate = self.inputs / max(self.seconds, 1e-9)
        outcomes = ", ".join(f"{count} {name}" for name, count in self.results.most_common())
        return [
            f"{self.kind}: {self.inputs} inputs, {rate:.0f} a second: {outcomes};"
            f" slowest {self.slowest_ms:.0f} ms, largest {self.largest_mb:.0f} MB;"
            f" {self.kept} kept, {len(self.failures)} failed",
            *(f"FAIL {self.kind}: {failure}" for failure in self.failures),
        ]


def campaign(kind: str, count: int, folder: Path, seed: int, worker: Worker) -> Report:
    """`count` mutants of the type `kind` against the decoder of `worker`."""
    started = time.perf_counter()
    rng = Random(f"{seed} {kind}")  # noqa: S311 - no secret
    corpus = Corpus(kind, folder)
    report = Report(kind)
    corpus.learn(worker.run)
    for done in range(0, count, _TOGETHER):
        together = range(min(_TOGETHER, count - done))
        inputs = [mutate(kind, corpus.choose(rng), rng) for _ in together]
        for data, first in zip(inputs, worker.run(inputs), strict=True):
            outcome = _least(worker, data, first)
            report.add(outcome)
            report.kept += corpus.look(data, outcome)
            if failure := _failure(outcome):
                report.failures.append(f"{failure}: {_written(folder, kind, data, failure)}")
    report.seconds = time.perf_counter() - started
    return report


def _least(worker: Worker, data: bytes, outcome: Outcome) -> Outcome:
    """What becomes of an input; of a slow one the best of several times."""
    for _ in range(_REPEATS):
        if outcome.fault or outcome.ms <= MOST_MS:
            break
        (again,) = worker.run([data])
        outcome = again if again.fault or again.ms < outcome.ms else outcome
    return outcome


def _failure(outcome: Outcome) -> str | None:
    if outcome.fault:
        return outcome.result
    if outcome.ms > MOST_MS:
        return f"{outcome.ms:.0f} ms, {outcome.result}"
    if outcome.mb > MOST_MB:
        return f"{outcome.mb:.0f} MB, {outcome.result}"
    return None


def _written(folder: Path, kind: str, data: bytes, failure: str) -> Path:
    """The file of a failing input, beside a text that says what it does."""
    path = folder / "failures" / f"{kind.lower()}-{sha256(data).hexdigest()[:16]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.with_suffix(".txt").write_text(failure + "\n")
    return path


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load.fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="mutants of each type")
    parser.add_argument("--kind", choices=[*map(str.lower, KINDS), "all"], default="all")
    parser.add_argument("--corpus", type=Path, required=True, help="folder that is kept")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-pixels", type=int, default=ImageLimits().max_pixels)
    asked = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if asked.kind in (kind.lower(), "all")]
    failed = False
    with closing(Worker(decode, ImageLimits(max_pixels=asked.max_pixels))) as worker:
        for kind in kinds:
            report = campaign(kind, asked.count, asked.corpus, asked.seed, worker)
            failed |= bool(report.failures)
            print(*report.lines(), sep="\n", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
