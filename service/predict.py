"""People in files: what `posewire predict` does with each of them."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from engines.drawing import draw
from engines.geometry import Pixels
from engines.model import Model, run
from engines.people import People
from service.estimate import Estimate
from service.formats import native
from service.images.codec import ImageLimits, decode, encode
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Prediction:
    """The people in a file, and where they are drawn."""

    path: Path
    estimate: Estimate
    drawn: Path | None

    def as_json(self) -> str:
        """One line: the native JSON with the file's path."""
        return json.dumps({"path": str(self.path), **native(self.estimate).model_dump()})

    def as_text(self) -> str:
        count = len(self.estimate.people)
        people = "1 person" if count == 1 else f"{count} people"
        return f"{self.path}: {people}" + (f", drawn in {self.drawn}" if self.drawn else "")


class Predictor:
    """Finds and draws people in files.

    Args:
        model: any.
        settings: limits of an image.
        out: folder for the drawn pictures; None draws nothing.
        min_score: people below it are left out.
        originals: pictures still to come, which no drawing may replace.
        detector: finds people for a model that needs boxes; None looks at the whole image.
    """

    def __init__(
        self,
        model: Model,
        settings: Settings,
        out: Path | None,
        min_score: float,
        *,
        originals: Collection[Path] = (),
        detector: Model | None = None,
    ) -> None:
        self._model = model
        self._detector = detector
        self._limits = ImageLimits(settings.max_bytes, settings.max_pixels)
        self._out = out
        self._min_score = min_score
        self._taken = {path.resolve() for path in originals}

    def predict(self, path: Path) -> Prediction:
        """The people in the picture at `path`.

        Raises:
            OSError: the file cannot be read. ServiceError: it is not an acceptable image.
        """
        began = time.perf_counter()
        image = decode(path.read_bytes(), self._limits)
        people = run(self._model, image, self._detector).best(min_score=self._min_score)
        spent = {"total": round((time.perf_counter() - began) * 1e3, 3)}
        height, width = image.shape[:2]
        estimate = Estimate(self._model.entry, width, height, people, spent)
        return Prediction(path, estimate, self._draw(path, image, people))

    def _draw(self, path: Path, image: Pixels, people: People) -> Path | None:
        if self._out is None:
            return None
        self._taken.add(path.resolve())
        self._out.mkdir(parents=True, exist_ok=True)
        target = self._out / f"{path.stem}.jpg"
        while target.resolve() in self._taken:  # or of the same name from another folder
            target = target.with_stem(f"{target.stem}_")
        self._taken.add(target.resolve())
        target.write_bytes(encode(draw(image, people, self._model.entry.skeleton)))
        return target
