"""Models of made-up parameters."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.catalog import Entry
from engines.weights import Store, keep


def exported(entry: Entry, folder: Path) -> Store:
    """A store with the checkpoint and graphs of a model, of parameters as torch makes them, or
    with those that another test has left there."""
    pytest.importorskip("torch", reason="networks are exported from torch, which is not installed")
    pytest.importorskip("onnxscript", reason="torch exports with onnxscript: not installed")
    import torch  # noqa: PLC0415 - an extra

    from engines.graphs import make_graphs, network_of  # noqa: PLC0415 - needs torch

    store = Store(folder)
    if not store.ready(entry):
        torch.manual_seed(0)
        made = folder / "made-up.pth"
        torch.save(network_of(entry, {}).state_dict(), made)
        make_graphs(entry, made, store)
        keep(made, store.checkpoint(entry))
    return store
