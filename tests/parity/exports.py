"""`python -m tests.parity.exports DIR [NAME...]`: what the engine makes of exported networks.

Each model of the catalogue that is made of a checkpoint gets one with the made-up parameters
of the fixtures in DIR, is imported as a user would do it, and its graphs are run on pictures of
two sizes, against the network in torch.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from engines.catalog import Entry, Network, catalog, find
from engines.graphs import network_of
from engines.importing import bring
from engines.networks.prn import GRID
from engines.pixels import PixelForm
from engines.runtime.openvino import OpenVinoEngine
from engines.weights import Store
from tests.parity.networks import fill, relative_error
from tests.parity.report import Figure

TOLERANCE = 1e-3  # of the largest value
_SIZES = ((1, 128, 192), (2, 192, 128))  # pictures, height, width
_PEOPLE = (1, 3)


def check(entry: Entry, folder: Path, work: Path) -> Figure:
    """How far the engine's outputs are from torch's, and how long the import took.

    Args:
        entry: made of a checkpoint.
        folder: of the fixtures.
        work: takes the checkpoint and the graphs.
    """
    network = network_of(entry, {}).eval()
    fill(network, folder)
    checkpoint, store = work / "checkpoint.pth", Store(work)
    torch.save(network.state_dict(), checkpoint)
    began = time.perf_counter()
    bring(entry, checkpoint, store)
    seconds = time.perf_counter() - began
    errors = list(_errors(entry, network, store))
    size = sum(store.graph(entry, one).stat().st_size for one in entry.networks.values()) / 2**20
    return Figure(
        bool(np.max(errors) <= TOLERANCE),
        f"{np.max(errors):.1e} of the largest value, imported in {seconds:.0f} s, {size:.0f} MiB",
    )


def _errors(entry: Entry, network: nn.Module, store: Store) -> Iterator[float]:
    for role, one in entry.networks.items():
        engine = OpenVinoEngine(store.graph(entry, one), one, threads=2)
        part = network if role == "network" else network.get_submodule(role)
        for inputs in _inputs(one):
            given = inputs if one.pixels is None else _normalised(inputs, one.pixels)
            with torch.inference_mode():
                made = part(torch.from_numpy(given))
            expected = (made,) if isinstance(made, torch.Tensor) else made
            ours = engine.infer(inputs)
            for name, theirs in zip(one.outputs, expected, strict=True):
                yield relative_error(ours[name], theirs.numpy())
        engine.close()


def _inputs(network: Network) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    if network.pixels is None:
        for people in _PEOPLE:
            yield random.random((people, *GRID), np.float32)
    else:
        for size in _SIZES:
            yield random.integers(0, 256, (*size, 3), np.uint8)


def _normalised(pictures: np.ndarray, form: PixelForm) -> np.ndarray:
    """(N, 3, h, w) float32, as the network takes it."""
    channels = pictures[..., ::-1] if form.rgb else pictures
    normalised = (channels.astype(np.float32) - form.mean) / form.scale
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), np.float32)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every export agrees, 1 when one does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity.exports", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder of parity fixtures")
    parser.add_argument("names", nargs="*", metavar="NAME", help="models; all if none is named")
    asked = parser.parse_args(arguments)
    made = [entry.name for entry in catalog().values() if entry.checkpoint is not None]
    failed = 0
    for name in asked.names or made:
        with tempfile.TemporaryDirectory() as work:
            figure = check(find(name), asked.folder, Path(work))
        failed += not figure.passed
        print(f"{'ok' if figure.passed else 'FAIL'} {name}: {figure.text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
