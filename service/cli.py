"""The `posewire` command. What a command does beyond arguments and printing lies elsewhere."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from engines.catalog import Entry, catalog, find
from engines.model import Model, load
from engines.weights import Store, ensure
from service.console import downloads, failing, say, tracked
from service.errors import ServiceError
from service.settings import Settings

app = typer.Typer(
    help="People in pictures: a service and its commands. Every POSEWIRE_* setting holds for all.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Flags of these commands are the settings; pydantic-settings parses them and writes their help.
_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

_Name = Annotated[str, typer.Argument(help="A name of `posewire models`.")]
_Model = Annotated[
    str | None,
    typer.Option("--model", help="A name of `posewire models`; the first of POSEWIRE_MODELS."),
]
_Height = Annotated[
    int | None,
    typer.Option("--height", min=32, max=4096, help="Network input height; the model's own."),
]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Runs the command."""
    app(prog_name="posewire")


@app.command(context_settings=_FLAGS)
def serve(context: typer.Context) -> None:
    """Serve HTTP and gRPC until SIGTERM; `posewire serve --help` lists every setting."""
    from service.app import serve as run_service  # noqa: PLC0415 - the other commands need no server

    with failing():
        settings = Settings.from_flags(context.args)
        log_format = "%(asctime)s %(levelname)s %(name)s: %(message)s"
        logging.basicConfig(level=logging.INFO, format=log_format, stream=sys.stderr)
        for name in settings.models:
            with downloads() as progress:
                ensure(find(name), _store(settings), progress)
        run_service(settings)


@app.command(context_settings=_FLAGS)
def config(context: typer.Context) -> None:
    """Print every setting, as environment variables."""
    with failing():
        settings = Settings.from_flags(context.args)
    for name, value, description in settings.described():
        typer.echo(f"# {description}\n{name}={value}")


@app.command()
def models(as_json: _Json = False) -> None:
    """List the models, their accuracy, licence and source, and whether their weights are here."""
    with failing():
        store = _store(Settings())
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "skeleton": entry.skeleton.name,
            "accuracy": entry.accuracy,
            "licence": entry.licence,
            "source": entry.source,
            "weights": _whereabouts(entry, store),
        }
        for entry in catalog().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("name", "weights", "published accuracy", "licence", "source")
    table.columns[0].no_wrap = True
    for row in rows:
        table.add_row(*(row[of] for of in ("name", "weights", "accuracy", "licence", "source")))
    Console().print(table)


@app.command()
def pull(name: _Name) -> None:
    """Fetch a model's weights into the cache, from POSEWIRE_MIRROR or their own address."""
    with failing():
        with downloads() as progress:
            folder = ensure(find(name), _store(Settings()), progress)
        typer.echo(f"{name} is in {folder}")


@app.command()
def build(
    name: _Name,
    checkpoint: Annotated[Path, typer.Option(help="The authors' checkpoint, or one like it.")],
) -> None:
    """Make a model's graph from its PyTorch checkpoint, in the cache (needs posewire[torch])."""
    with failing():
        from engines.build import build as build_graph  # noqa: PLC0415 - needs torch

        typer.echo(f"{name} is in {build_graph(find(name), checkpoint, _store(Settings()))}")


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, or folders of them.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the drawn pictures; `poses` unless --json."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a picture.")] = False,
    model: _Model = None,
    height: _Height = None,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="Leave out people below.")] = 0.0,
) -> None:
    """Find the people in pictures: draw them, or print them as JSON."""
    from service.pictures import pictures  # noqa: PLC0415
    from service.predict import Predictor  # noqa: PLC0415

    with failing():
        settings = _settings(model, height)
        out = out if out or as_json else Path("poses")
        files = pictures(paths)
        predictor = Predictor(_load(settings), settings, out, min_score, originals=files)
        failed = False
        for file in tracked(files, "predicting"):
            try:
                done = predictor.predict(file)
            except (ServiceError, OSError) as error:
                failed = True
                say(f"{file}: {error}")
            else:
                print(done.as_json() if as_json else done.as_text(), flush=True)
    raise typer.Exit(int(failed))


@app.command("eval")
def evaluate(
    annotations: Annotated[Path, typer.Option(help="COCO person keypoints, JSON.")],
    images: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    model: _Model = None,
    height: _Height = None,
    boxes: Annotated[
        str | None, typer.Option(help="true or detected; only for models that need boxes.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Measure COCO keypoint AP."""
    from service.evaluate import evaluate as measure  # noqa: PLC0415

    with failing():
        settings = _settings(model, height)
        if boxes is not None:
            raise ValueError(f"{settings.models[0]} finds people by itself; leave out --boxes")
        loaded = _load(settings)
        figures = measure(loaded, annotations, images, lambda all_: tracked(all_, "evaluating"))
    named = {"model": loaded.entry.name, "height": loaded.entry.input.height, **figures}
    if as_json:
        typer.echo(json.dumps(named))
    else:
        typer.echo("\n".join(f"{name:8} {value}" for name, value in named.items()))


@app.command()
def bench(
    images: Annotated[Path, typer.Option(help="Folder of pictures.")],
    model: _Model = None,
    height: _Height = None,
    seconds: Annotated[float, typer.Option(min=1, help="For each of the five figures.")] = 10.0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests under way.")] = 8,
    as_json: _Json = False,
) -> None:
    """Measure images a second: the engine alone, in process, HTTP, gRPC and a gRPC stream."""
    from service.bench.run import run as measure  # noqa: PLC0415

    with failing():
        settings = _settings(model, height)
        with downloads() as progress:
            ensure(find(settings.models[0]), _store(settings), progress)
        figures = measure(settings, images, seconds, concurrency, say)
    if as_json:
        typer.echo(json.dumps(figures))
        return
    table = Table("", "images/s", "of the engine", "p50 ms", "p99 ms")
    for name, figure in figures.items():
        ratio = figure["ips"] / figures["engine"]["ips"]
        row = (f"{figure['ips']:.1f}", f"{ratio:.2f}", figure["p50_ms"], figure["p99_ms"])
        table.add_row(name, *map(str, row))
    Console().print(table)


def _settings(model: str | None, height: int | None) -> Settings:
    """The environment's settings, but for the model and height that were asked for."""
    asked: dict[str, Any] = {"models": model and (model,), "height": height}
    return Settings(**{name: value for name, value in asked.items() if value is not None})


def _load(settings: Settings) -> Model:
    """The first model, its weights fetched with a progress bar."""
    with downloads() as progress:
        return load(
            settings.models[0],
            _store(settings),
            height=settings.height,
            threads=settings.threads,
            max_batch=settings.max_batch,
            progress=progress,
        )


def _whereabouts(entry: Entry, store: Store) -> str:
    """Of a model's weights."""
    if store.ready(entry):
        return "here"
    return "to fetch" if entry.files else "to bring"


def _store(settings: Settings) -> Store:
    return Store(settings.cache, settings.mirror)
