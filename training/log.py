"""Losses as lines of JSON, and as a picture."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.plot import Curve, draw

_SMOOTH = 0.1  # what a new value is to the curve of losses


@dataclass(frozen=True, slots=True)
class Log:
    """`log.jsonl` in a folder: lines of `step`, and `loss` or `validation`."""

    folder: Path

    @property
    def path(self) -> Path:
        return self.folder / "log.jsonl"

    def begin(self, step: int) -> None:
        """Forgets what a run that was killed had said after the step that it goes on from."""
        kept = [line for line in self.lines() if line["step"] <= step]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")

    def add(self, **values: float) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values) + "\n")

    def lines(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]

    def plot(self) -> None:
        """Draws `losses.svg` of what there is."""
        lines = self.lines()
        learned = _smoothed([(one["step"], one["loss"]) for one in lines if "loss" in one])
        validated = [(one["step"], one["validation"]) for one in lines if "validation" in one]
        curves = [
            Curve(name, points)
            for name, points in (("learned", learned), ("held out", validated))
            if points
        ]
        if curves:
            title = "Loss of pictures learned from, and held out"
            drawn = draw(title, "step", curves, linear=True)
            (self.folder / "losses.svg").write_text(drawn, "utf-8")


def _smoothed(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    smooth: list[tuple[float, float]] = []
    for step, value in points:
        before = smooth[-1][1] if smooth else value
        smooth.append((step, before + _SMOOTH * (value - before)))
    return smooth
