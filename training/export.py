"""`python -m training.export CHECKPOINT --images DIR`: the files of `posewire-small`.

Of a checkpoint's averaged weights it writes an OpenVINO IR, which a processor runs in int8, and the
same network as ONNX with weights stored as int8, which engines of GPUs are built of; and prints
what the catalogue has to say of them.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import onnx
import openvino as ov
import typer
from torch import nn

from engines.catalog import Network, find
from engines.export import export
from engines.geometry import Pixels
from engines.model import model_of
from engines.options import Options
from engines.pictures import inputs_of, pictures
from engines.precision.compact import compact
from engines.precision.int8 import quantise_ir
from engines.runtime.engine import Batch
from engines.runtime.openvino import OpenVinoEngine
from engines.weights import Store, atomically
from training.checkpoint import averaged_network

NAME = "posewire-small"
_ENTRY = find(NAME)
_ABOUT = _ENTRY.exact.networks["network"]
_WRONG_USE = 2  # exit status

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    checkpoint: Annotated[Path, typer.Argument(help="checkpoint.pt of a run.")],
    images: Annotated[
        Path,
        typer.Option(help="Pictures with people to fit int8 to, of which up to 40 are taken."),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the files; by default that of the repository.")
    ] = Path("engines/shipped") / NAME,
    float16: Annotated[
        bool, typer.Option("--float16", help="Store the IR's weights as float16, not as int8.")
    ] = False,
) -> None:
    """Write a student as the files that the catalogue publishes, and print their tables."""
    try:
        written = write(averaged_network(checkpoint), images, out, float16=float16)
    except (OSError, ValueError) as error:
        typer.echo(f"training: {error}", err=True)
        raise typer.Exit(_WRONG_USE) from error
    typer.echo(tables(written))


def write(network: nn.Module, images: Path, out: Path, *, float16: bool = False) -> list[Path]:
    """Writes a student's IR, its weights and its ONNX graph to a folder.

    Args:
        network: gives `engines.networks.lightweight_openpose.Maps`.
        images: pictures of people that int8 is fitted to.
        out: the folder; it is made.
        float16: store the IR's weights so, and compute in float32.

    Raises:
        OSError: a file cannot be read or written. ValueError: there are no pictures.
    """
    shown = pictures(images)
    out.mkdir(parents=True, exist_ok=True)
    ir = out / _ENTRY.networks["network"].graph
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / _ABOUT.graph
        _export(network, graph, _ABOUT)
        stored = compact(onnx.load(graph))
        with atomically(out / graph.name) as file:
            file.write(stored.SerializeToString())
        if float16:
            ov.save_model(ov.Core().read_model(graph), ir, compress_to_fp16=True)
        else:
            quantise_ir(graph, _ABOUT, _inputs(graph, shown), ir, careful=True)
    return [ir, ir.with_suffix(".bin"), out / graph.name]


def tables(files: Iterable[Path]) -> str:
    """Of files that are published, as `engines/catalog.toml` has them."""
    return "\n".join(_table(file) for file in files)


def _export(network: nn.Module, graph: Path, about: Network) -> None:
    form = about.pixels
    assert form is not None  # noqa: S101 - the catalogue's
    outputs = list(about.outputs.values())
    export(network, graph, mean=form.mean, scale=form.scale, rgb=form.rgb, outputs=outputs)


def _inputs(graph: Path, shown: Sequence[Pixels]) -> Sequence[Batch]:
    """What the model asks of the network for those pictures."""
    engine = OpenVinoEngine(graph, _ABOUT)
    model = model_of(_ENTRY.exact, Store(graph.parent), Options(), {_ABOUT.name: engine})
    asked = inputs_of(model, shown)[_ABOUT.name]
    model.close()
    return asked


def _table(file: Path) -> str:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return (
        f'[[{NAME}.files]]\nname = "{file.name}"\nsha256 = "{digest}"\n'
        f"size = {file.stat().st_size:_}\n"
    )


if __name__ == "__main__":
    app()
