"""What engines are compared with: the authors' networks in PyTorch and float32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from typing import Any

from engines.catalog import Entry, Network
from engines.model import Model, model_of
from engines.options import Options
from engines.runtime.engine import Engine
from engines.runtime.openvino import OpenVinoEngine
from engines.weights import Store

_TITLES = {"torch": "PyTorch", "openvino": "OpenVINO"}


def reference(entry: Entry, store: Store, options: Options | None = None) -> Model:
    """The model in float32, as near to its authors as can be had; `Model.why` says what it is.

    Its networks are PyTorch's with the checkpoint's parameters, in the authors' own form, so
    that fusing and exporting are compared too; or, where there is no checkpoint, or no PyTorch,
    or the graph is of another source than the checkpoint, the graph on OpenVINO.

    Args:
        entry: of the catalogue; its graphs are in the store.
        store: the user's files.
        options: how the model runs.
    """
    options = options or Options()
    if options.height is not None:
        entry = replace(entry, input=replace(entry.input, height=options.height))
    networks = _networks(entry, store)
    engines: dict[str, Engine] = {}
    for role, network in entry.networks.items():
        if role in networks:
            from engines.runtime.torch import TorchEngine  # noqa: PLC0415 - torch is an extra

            engines[network.name] = TorchEngine(networks[role], network)
        else:
            engines[network.name] = OpenVinoEngine(store.graph(entry, network), network)
    return model_of(entry, store, options, engines, _describe(engines))


def of_checkpoint(entry: Entry, network: Network, store: Store) -> bool:
    """Whether the graph of a network was made of the checkpoint in the store.

    An import writes the graphs and then keeps the checkpoint. A graph that is newer was brought
    apart: an ONNX file, or a Pose Residual Network for MultiPoseNet.
    """
    if entry.checkpoint is None:
        return False
    graph, checkpoint = store.graph(entry, network), store.checkpoint(entry)
    if not checkpoint.is_file() or not graph.is_file():
        return False
    return graph.stat().st_mtime_ns <= checkpoint.stat().st_mtime_ns


def _networks(entry: Entry, store: Store) -> Mapping[str, Any]:
    """PyTorch's networks by role, as far as the graphs are of the checkpoint."""
    roles = [role for role, one in entry.networks.items() if of_checkpoint(entry, one, store)]
    if not roles or find_spec("torch") is None:
        return {}
    from engines.graphs import networks_of  # noqa: PLC0415 - torch is an extra

    networks = networks_of(entry, store.checkpoint(entry), fused=False)
    return {role: networks[role] for role in roles}


def _describe(engines: Mapping[str, Engine]) -> str:
    """ "PyTorch 2.13.0, float32", with the networks' names where they run on several."""
    by: dict[str, list[str]] = {}
    for name, engine in engines.items():
        version = metadata.version(engine.name)
        by.setdefault(f"{_TITLES[engine.name]} {version}, float32", []).append(name)
    if len(by) == 1:
        return next(iter(by))
    return "; ".join(f"{', '.join(names)}: {title}" for title, names in by.items())
