"""The `posewire` command. What a command does beyond arguments and printing lies elsewhere."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from engines.catalog import UnknownModelError, catalog, find
from engines.model import Model, load
from engines.weights import Store, WeightsError, ensure
from service.errors import ServiceError
from service.progress import downloads
from service.settings import Settings

T = TypeVar("T")

MISSING_WEIGHTS = 3  # exit status
WRONG_USE = 2
_DEFAULT = Settings.model_fields["models"].default[0]

app = typer.Typer(
    help="People in pictures: a service and its commands. Every POSEWIRE_* setting holds for all.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# Flags of these commands are the settings; pydantic-settings parses them and writes their help.
_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

_Name = Annotated[str, typer.Argument(help="A name of `posewire models`.")]
_Model = Annotated[str, typer.Option("--model", help="A name of `posewire models`.")]
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

    with _failing():
        settings = Settings.from_flags(context.args)
        log_format = "%(asctime)s %(levelname)s %(name)s: %(message)s"
        logging.basicConfig(level=logging.INFO, format=log_format, stream=sys.stderr)
        for name in settings.models:
            with downloads(name) as progress:
                ensure(find(name), _store(settings), progress)
        run_service(settings)


@app.command(context_settings=_FLAGS)
def config(context: typer.Context) -> None:
    """Print every setting, as environment variables."""
    with _failing():
        settings = Settings.from_flags(context.args)
    for name, value, description in settings.described():
        typer.echo(f"# {description}\n{name}={value}")


@app.command()
def models(as_json: _Json = False) -> None:
    """List the models, their accuracy, licence and source, and whether their weights are here."""
    with _failing():
        store = _store(Settings())
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "skeleton": entry.skeleton.name,
            "accuracy": entry.accuracy,
            "licence": entry.licence,
            "source": entry.source,
            "ready": store.ready(entry),
        }
        for entry in catalog().values()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table("name", "weights", "published accuracy", "licence", "source")
    table.columns[0].no_wrap = True
    for row in rows:
        here = (
            "here" if row["ready"] else "to fetch" if find(str(row["name"])).files else "to bring"
        )
        table.add_row(
            *map(str, (row["name"], here, row["accuracy"], row["licence"], row["source"]))
        )
    Console().print(table)


@app.command()
def pull(name: _Name) -> None:
    """Fetch a model's weights into the cache, from POSEWIRE_MIRROR or their own address."""
    with _failing():
        with downloads(name) as progress:
            folder = ensure(find(name), _store(Settings()), progress)
        typer.echo(f"{name} is in {folder}")


@app.command()
def build(
    name: _Name,
    checkpoint: Annotated[Path, typer.Option(help="The authors' checkpoint, or one like it.")],
) -> None:
    """Make a model's graph from its PyTorch checkpoint, in the cache (needs posewire[torch])."""
    with _failing():
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
    model: _Model = _DEFAULT,
    height: _Height = None,
    min_score: Annotated[float, typer.Option(min=0, max=1, help="Leave out people below.")] = 0.0,
) -> None:
    """Find the people in pictures: draw them, or print them as JSON."""
    from service.predict import Predictor, pictures  # noqa: PLC0415

    with _failing():
        settings = Settings()
        out = out if out or as_json else Path("poses")
        files = list(pictures(paths))
        predictor = Predictor(_load(model, height, settings), settings, out, min_score)
        failed = False
        for file in _tracked(files, "predicting"):
            try:
                done = predictor.predict(file)
            except (ServiceError, OSError) as error:
                failed = True
                _say(f"{file}: {error}")
            else:
                typer.echo(done.as_json() if as_json else done.as_text())
    raise typer.Exit(int(failed or not files))


@app.command("eval")
def evaluate(
    annotations: Annotated[Path, typer.Option(help="COCO person keypoints, JSON.")],
    images: Annotated[Path, typer.Option(help="Folder of the pictures.")],
    model: _Model = _DEFAULT,
    height: _Height = None,
    boxes: Annotated[
        str | None, typer.Option(help="true or detected; only for models that need boxes.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Measure COCO keypoint AP."""
    from service.evaluate import evaluate as measure  # noqa: PLC0415

    with _failing():
        if boxes is not None:
            raise ValueError(
                f"{model} finds people by itself and takes no boxes; leave out --boxes"
            )
        loaded = _load(model, height, Settings())
        figures = measure(loaded, annotations, images, lambda all_: _tracked(all_, "evaluating"))
    named = {"model": model, "height": loaded.entry.input.height, **figures}
    if as_json:
        typer.echo(json.dumps(named))
    else:
        typer.echo("\n".join(f"{name:8} {value}" for name, value in named.items()))


@app.command()
def bench(
    images: Annotated[Path, typer.Option(help="Folder of pictures.")],
    model: _Model = _DEFAULT,
    height: _Height = None,
    seconds: Annotated[float, typer.Option(min=1, help="For each of the five figures.")] = 10.0,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests under way.")] = 8,
    as_json: _Json = False,
) -> None:
    """Measure images a second: the engine alone, in process, HTTP, gRPC and a gRPC stream."""
    from service.bench.run import run as measure  # noqa: PLC0415

    with _failing():
        settings = Settings(models=(model,), height=height)
        with downloads(model) as progress:
            ensure(find(model), _store(settings), progress)
        figures = measure(settings, images, seconds, concurrency, _say)
    if as_json:
        typer.echo(json.dumps(figures))
        return
    table = Table("", "images/s", "of the engine", "p50 ms", "p99 ms")
    for name, figure in figures.items():
        ratio = figure["ips"] / figures["engine"]["ips"]
        row = (f"{figure['ips']:.1f}", f"{ratio:.2f}", figure["p50_ms"], figure["p99_ms"])
        table.add_row(name, *map(str, row))
    Console().print(table)


def _load(name: str, height: int | None, settings: Settings) -> Model:
    """A model whose weights were fetched with a progress bar."""
    with downloads(name) as progress:
        return load(
            name,
            _store(settings),
            height=height or settings.height,
            threads=settings.threads,
            progress=progress,
        )


def _store(settings: Settings) -> Store:
    return Store(settings.cache, settings.mirror)


@contextmanager
def _failing() -> Iterator[None]:
    """What a user can mend is one line on standard error and an exit status, not a traceback."""
    try:
        yield
    except WeightsError as error:
        _say(str(error))
        raise typer.Exit(MISSING_WEIGHTS) from error
    except ValidationError as error:
        for problem in error.errors():
            name = "POSEWIRE_" + "_".join(map(str, problem["loc"])).upper()
            _say(f"{name}: {problem['msg']}, not {problem['input']!r}")
        raise typer.Exit(WRONG_USE) from error
    except ModuleNotFoundError as error:
        _say(f"{error.name} is not installed; run: pip install 'posewire[torch]'")
        raise typer.Exit(WRONG_USE) from error
    except (UnknownModelError, SettingsError, OSError, ValueError) as error:
        _say(str(error))
        raise typer.Exit(WRONG_USE) from error


def _say(text: str) -> None:
    typer.echo(f"posewire: {text}", err=True)


def _tracked(items: Sequence[T], what: str) -> Iterable[T]:
    """The same items, with a progress bar where there is a terminal for it."""
    console = Console(stderr=True)
    return track(items, what, console=console, transient=True, disable=not console.is_terminal)
