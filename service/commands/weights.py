"""Commands about weights: what there is, fetching, importing, building."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from engines.catalog import Entry, catalog, find
from engines.weights import Store, WeightsError, ensure, how_to_bring
from service.console import downloads, failing, say
from service.loading import store
from service.settings import Settings

app = typer.Typer()

_Name = Annotated[str, typer.Argument(help="A name of `posewire models`.")]


@app.command()
def models(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the models, their accuracy, licence and source, and whether their weights are here."""
    with failing():
        kept = store(Settings())
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "skeleton": entry.skeleton.name,
            "accuracy": entry.accuracy,
            "licence": entry.licence,
            "source": entry.source,
            "weights": (state := _whereabouts(entry, kept)),
            "bring": how_to_bring(entry) if state == "to bring" else "",
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
    console = Console()
    console.print(table)
    console.print("to fetch: by itself when it is first served, or with `posewire pull NAME`")
    if to_bring := [row for row in rows if row["bring"]]:
        console.print("to bring:")
    for row in to_bring:
        console.print(f"  {row['name']}: {row['bring']}", soft_wrap=True)


@app.command()
def pull(name: _Name) -> None:
    """Fetch a model's weights into the cache, from POSEWIRE_MIRROR or their own address."""
    with failing():
        with downloads() as progress:
            folder = ensure(find(name), store(Settings()), progress)
        typer.echo(f"{name} is in {folder}")


@app.command("import")
def bring(
    name: _Name,
    file: Annotated[Path, typer.Argument(help="The authors' checkpoint, or an ONNX file.")],
) -> None:
    """Bring a model's weights: the authors' checkpoint (needs PyTorch), or an ONNX file."""
    from engines.importing import bring as import_file  # noqa: PLC0415 - the rest needs no engine

    with failing():
        if file.suffix != ".onnx":
            say("making graphs of a checkpoint takes up to a minute")
        for path in import_file(find(name), file, store(Settings()), say):
            typer.echo(f"{name} has {path}")


@app.command()
def build(
    name: _Name,
    precision: Annotated[
        str | None, typer.Option(help="fp16, bf16, fp32 or int8; POSEWIRE_PRECISION.")
    ] = None,
    max_batch: Annotated[
        int | None, typer.Option(help="Most pictures a call takes; POSEWIRE_MAX_BATCH.")
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(help="Least, usual and largest input: 256x256,368x656,368x1472."),
    ] = None,
    height: Annotated[int | None, typer.Option(help="Network input height.")] = None,
    engine: Annotated[
        str | None, typer.Option(help="tensorrt, torch or openvino; POSEWIRE_ENGINE.")
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Pictures to calibrate int8 with and to compare on."),
    ] = None,
    graphs: Annotated[
        bool, typer.Option("--graphs", help="First make the ONNX graphs of the checkpoint anew.")
    ] = False,
    deform_conv: Annotated[
        bool, typer.Option("--deform-conv", help="Only write DEKR's graph with DeformConv.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sidecars as JSON.")] = False,
) -> None:
    """Build a model's engines for this machine, and compare them with PyTorch."""
    with failing():
        asked: dict[str, Any] = {
            "models": (name,),
            "precision": precision,
            "max_batch": max_batch,
            "sizes": sizes,
            "height": height,
            "engine": engine,
            "pictures": images,
        }
        settings = Settings(**{key: value for key, value in asked.items() if value is not None})
        if graphs or deform_conv:
            _make_graphs(find(name), store(settings), deform_conv)
        if deform_conv:
            return
        from engines.loading import build as build_engines  # noqa: PLC0415 - loads the engines

        built = build_engines(
            name, store(settings), settings.options, settings.engine_options, say=say
        )
    if as_json:
        typer.echo(json.dumps([one.sidecar.to_json() for one in built], indent=1))
        return
    if not built:
        typer.echo(f"{name} runs as it is published: there is nothing to build")
    for one in built:
        typer.echo(f"{one.network.name}: {one.folder}")
        typer.echo(textwrap.indent(one.sidecar.told(), "  "))


def _make_graphs(entry: Entry, kept: Store, deform_conv: bool) -> None:
    if entry.checkpoint is None:
        raise ValueError(
            f"{entry.name} is not made of a checkpoint: leave out --graphs and --deform-conv"
        )
    checkpoint = kept.checkpoint(entry)
    if not checkpoint.is_file():
        raise WeightsError(f"{entry.name} has no checkpoint here: {how_to_bring(entry)}")
    from engines.graphs import make_graphs  # noqa: PLC0415 - needs torch

    for path in make_graphs(entry, checkpoint, kept, deform_conv=deform_conv):
        typer.echo(f"{entry.name} has {path}")
    if not deform_conv:
        checkpoint.touch()  # what is older than it was made of it


def _whereabouts(entry: Entry, kept: Store) -> str:
    """Of a model's weights."""
    if kept.ready(entry):
        return "here"
    return "to fetch" if kept.fetchable(entry) else "to bring"
