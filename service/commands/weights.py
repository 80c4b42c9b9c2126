"""Commands about weights: what there is, fetching, importing, building."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from engines.catalog import Entry, catalog, find
from engines.weights import Store, ensure, how_to_bring
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
            say("making graphs of the checkpoint takes up to a minute")
        for path in import_file(find(name), file, store(Settings())):
            typer.echo(f"{name} has {path}")


@app.command()
def build(
    name: _Name,
    deform_conv: Annotated[
        bool,
        typer.Option(
            "--deform-conv", help="DEKR with ONNX's DeformConv, beside the graph for OpenVINO."
        ),
    ] = False,
) -> None:
    """Make a model's graphs anew from the checkpoint that was imported (needs PyTorch)."""
    with failing():
        from engines.graphs import make_graphs  # noqa: PLC0415 - needs torch

        entry, kept = find(name), store(Settings())
        for path in make_graphs(entry, kept.checkpoint(entry), kept, deform_conv=deform_conv):
            typer.echo(f"{name} has {path}")


def _whereabouts(entry: Entry, kept: Store) -> str:
    """Of a model's weights."""
    if kept.ready(entry):
        return "here"
    return "to fetch" if kept.fetchable(entry) else "to bring"
