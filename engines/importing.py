"""Files that a user brings: checked against the model they are for, then kept."""

from __future__ import annotations

import logging
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory

import numpy as np

from engines.build import open_proven
from engines.building.maker import Order, Say
from engines.building.openvino import OpenVinoMaker
from engines.catalog import Entry
from engines.comparison import UnprovenError
from engines.model import model_of, run
from engines.options import Options
from engines.runtime.openvino import OpenVinoEngine
from engines.runtime.options import EngineOptions
from engines.weights import Store, is_published, keep

_log = logging.getLogger("posewire.engines")


def bring(entry: Entry, file: Path, store: Store, say: Say = _log.info) -> list[Path]:
    """Takes a file for a model: a published one, an ONNX graph, or the authors' checkpoint.

    Nothing is kept of a file that does not fit. Graphs of a checkpoint are compared with PyTorch;
    `say` is told.

    Returns:
        What the model has now.

    Raises:
        OSError: the file cannot be read.
        CheckpointError: a checkpoint does not fit; says why.
        UnprovenError: the graphs made of it give other results than PyTorch.
        ValueError: a graph is not of the model's form, or the model takes no such file.
    """
    file.open("rb").close()  # what cannot be read is said as that
    for published in entry.files:
        if is_published(file, published):
            (store.imported(entry) / published.name).unlink(missing_ok=True)  # it would go before
            return [keep(file, store.published(entry) / published.name)]
    if file.suffix == ".onnx":
        return [_graph(entry, file, store)]
    if entry.checkpoint is None:
        names = " or ".join(published.name for published in entry.files)
        other = f"bring {names} as it was published, or an ONNX file" if names else "bring ONNX"
        raise ValueError(f"{file} is not for {entry.name}: {other}")
    return _checkpoint(entry, file, store, say)


def _graph(entry: Entry, file: Path, store: Store) -> Path:
    """Keeps an ONNX file that runs in the model's place."""
    (network, *others) = entry.networks.values()
    if others:
        raise ValueError(f"{entry.name} has several graphs: bring its checkpoint")
    try:
        with TemporaryDirectory() as elsewhere:  # where no file beside it has its weights
            engine = OpenVinoEngine(Path(copy(file, elsewhere)), network, threads=1)
            model = model_of(entry, store, Options(), {network.name: engine})
            run(model, np.zeros((480, 640, 3), np.uint8))
            engine.close()
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        why = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"{file} is not of the form of {entry.name}, which takes pictures (N, 3, h, w) and "
            f"gives {', '.join(network.outputs)} ({why[-1]})"
        ) from error
    return keep(file, store.imported(entry) / network.graph)


def _checkpoint(entry: Entry, file: Path, store: Store, say: Say) -> list[Path]:
    """Makes the model's graphs, keeps the checkpoint that they are of, and compares them."""
    from engines.graphs import make_graphs  # noqa: PLC0415 - needs torch

    made = make_graphs(entry, file, store)
    if {network.graph for network in entry.networks.values()} <= {path.name for path in made}:
        made.append(keep(file, store.checkpoint(entry)))
        _compare(entry, store, made, say)
    return made


def _compare(entry: Entry, store: Store, made: list[Path], say: Say) -> None:
    """Compares what was made of a checkpoint with PyTorch; nothing stays of what differs."""
    order = Order(entry, store, Options(), EngineOptions(), entry.precision, say)
    try:
        engines = open_proven(OpenVinoMaker(order), order)
    except UnprovenError:
        for path in made:
            path.unlink()
        raise
    for engine in engines.values():
        engine.close()
