"""From a checkpoint to the graph that an engine runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from engines import checkpoints
from engines.catalog import Entry
from engines.export import export
from engines.networks.lightweight_openpose import LightweightOpenPose
from engines.weights import Store

_STAGE = re.compile(r"refinement_stages\.(\d+)\.")


def build(entry: Entry, checkpoint: Path, store: Store) -> Path:
    """Exports the network of `entry` with the parameters of `checkpoint` into the cache.

    The number of refinement stages is the checkpoint's.

    Returns:
        The graph's path.

    Raises:
        OSError: the checkpoint cannot be opened. CheckpointError: it does not fit.
        ValueError: the model's graph is published and needs no building.
    """
    if entry.network.checkpoint is None:
        raise ValueError(
            f"{entry.name} is published ready to run; use `posewire pull {entry.name}`"
        )
    network = LightweightOpenPose(_stages(checkpoints.read(checkpoint)))
    checkpoints.load(network, checkpoint)
    graph = store.folder(entry) / entry.network.graph
    # The authors normalise BGR pixels as (x - 128) / 256.
    export(network, graph, mean=[128] * 3, scale=[256] * 3, outputs=["heatmaps", "pafs"])
    return graph


def _stages(keys: Iterable[str]) -> int:
    """Refinement stages in a checkpoint; what it has beyond the network's is named later."""
    found = [int(match[1]) for key in keys if (match := _STAGE.search(key))]
    return min(max(found, default=0) + 1, 3)
