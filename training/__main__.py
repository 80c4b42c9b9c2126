"""`python -m training CONFIG [--out DIR]`: a student from settings to accuracy.

It keeps augmented pictures with their teacher's maps, learns from them, and measures the accuracy
of what it learned. Killed at any point and started again, it goes on. Several GPUs:
`torchrun --nproc-per-node gpu -m training CONFIG`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import cv2
import platformdirs
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import distributed

from engines.catalog import UnknownModelError, find
from engines.loading import load
from engines.networks.lightweight_openpose import YOLOX
from engines.runtime.auto import EngineError
from engines.weights import Store, WeightsError, ensure
from training.checkpoint import averaged_network
from training.config import Config, read
from training.devices import Place, place
from training.evaluate import evaluate
from training.keeping import made, make
from training.kept import Kept
from training.loop import Told, train
from training.pretrained import DETECTOR
from training.teacher import Teacher

_WRONG_USE = 2  # exit status


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    config: Annotated[Path, typer.Argument(help="The run, TOML; see docs/training.md.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; by default runs/NAME of the config.")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Stop learning after so long, to go on another time.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(envvar="POSEWIRE_CACHE", help="Where the teacher's weights are kept."),
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(envvar="POSEWIRE_MIRROR", help="Tried first for its weights.")
    ] = None,
) -> None:
    """Train a pose network."""
    folder = out or Path("runs") / config.stem
    try:
        with place() as here:
            store = Store(cache or platformdirs.user_cache_path("posewire"), mirror)
            _run(read(config), folder, here, store, minutes)
    except (OSError, ValueError, UnknownModelError, WeightsError, EngineError) as error:
        typer.echo(f"training: {error}", err=True)
        raise typer.Exit(_WRONG_USE) from error


def _run(config: Config, folder: Path, here: Place, store: Store, minutes: float | None) -> None:
    cv2.setNumThreads(1)  # pictures are made by several threads as it is
    detector = _detector(config, store)  # what is missing is said before there is any work
    pictures = _kept(config, folder / "kept", here, store)
    seconds = minutes and 60 * minutes
    with _bar("learning", here) as told:
        done = train(config, pictures, folder, here, told, detector=detector, seconds=seconds)
    if not (here.first and done and config.evaluation):
        return
    with _bar("evaluating", here) as told:

        def track(items: list[object]) -> Iterator[object]:
            for number, item in enumerate(items):
                told(number, len(items))
                yield item

        network = averaged_network(folder / "checkpoint.pt")
        figures = evaluate(network, config.evaluation, track)  # type: ignore[arg-type]
    (folder / "accuracy.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    typer.echo(json.dumps(figures))


def _kept(config: Config, folder: Path, here: Place, store: Store) -> Kept:
    """The kept pictures, which the first process makes while others wait."""
    if here.first:
        with _bar("pictures", here) as told:
            make(config, _teacher(config, store), folder, told)
    if here.of > 1:
        distributed.barrier()
    return made(config, folder)


def _detector(config: Config, store: Store) -> Path | None:
    """The graph that a student's features begin with, where they do not begin with its weights."""
    if config.student.backbone != YOLOX or config.student.weights is not None:
        return None
    entry = find(DETECTOR)
    ensure(entry, store)
    return store.graph(entry, entry.networks["network"])


def _teacher(config: Config, store: Store) -> Teacher | None:
    if config.teacher is None:
        return None
    model = load(config.teacher.model, store)
    if model.entry.skeleton.name != config.skeleton:
        raise ValueError(
            f"{config.teacher.model} has {model.entry.skeleton.name}, the student "
            f"{config.skeleton}: choose a teacher with the same skeleton"
        )
    return Teacher(model, config.teacher.scales, config.teacher.flip)


@contextmanager
def _bar(what: str, here: Place) -> Iterator[Told]:
    """A progress bar on a terminal; nothing elsewhere, or of further processes."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    hidden = not (here.first and console.is_terminal)
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=hidden) as bars:
        task = bars.add_task(what)
        yield lambda done, total: bars.update(task, completed=done, total=total)


if __name__ == "__main__":
    app()
