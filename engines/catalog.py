"""The catalogue: every model, read once from `catalog.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from engines.pixels import PIXELS, PixelForm
from engines.precision import Precision
from engines.skeletons import SKELETONS, Skeleton


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A published file: its name, checksum, size in bytes, and address where it has one."""

    name: str
    sha256: str
    size: int
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A graph an engine runs.

    Attributes:
        name: what a model's steps, queues and engines call it; no other network's.
        graph: file name of the OpenVINO IR or ONNX graph.
        outputs: our name of each output -> the graph's.
        pixels: the form in which the network takes pixels; None for one that takes none.
        exact: file name of the network as float32 ONNX, where `graph` is quantised; it has the
            same outputs.
    """

    name: str
    graph: str
    outputs: Mapping[str, str]
    pixels: PixelForm | None
    exact: str | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The authors' file that a model's graphs are made of.

    Attributes:
        file: its name as the authors publish it.
        network: which network it is of; see `engines.graphs`.
        variant: how that network is configured: HRNet's width, say.
    """

    file: str
    network: str
    variant: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class InputSize:
    """Of a network, in pixels.

    Attributes:
        height: the least side for DEKR.
        width: None where it follows from the picture; then the height can be chosen too.
    """

    height: int
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue.

    A model is published (`files`), made of a checkpoint that the user brings (`checkpoint`), or
    a graph of the user's own (neither). Published files may come with the package (`shipped`).
    """

    name: str
    title: str
    system: str
    skeleton: Skeleton
    input: InputSize
    networks: Mapping[str, Network]  # by role; "network" is the one that sees the picture
    checkpoint: Checkpoint | None
    files: tuple[WeightFile, ...]
    precision: Precision  # of the graphs as they are published or exported
    licence: str
    source: str
    accuracy: str
    shipped: bool = False

    @property
    def exact(self) -> Entry:
        """The entry with its float32 graphs, which other engines can be built of; itself if there
        are none beside `graph`."""
        if not any(network.exact for network in self.networks.values()):
            return self
        networks = {
            role: replace(network, graph=network.exact or network.graph, exact=None)
            for role, network in self.networks.items()
        }
        return replace(self, networks=networks, precision="fp32")


class UnknownModelError(LookupError):
    """No such model in the catalogue; the message names those there are."""


@cache
def catalog() -> dict[str, Entry]:
    text = resources.files("engines").joinpath("catalog.toml").read_text("utf-8")
    return {name: _entry(name, table) for name, table in tomllib.loads(text).items()}


def find(name: str) -> Entry:
    """The entry of `name`; `UnknownModelError` if there is none."""
    try:
        return catalog()[name]
    except KeyError:
        known = ", ".join(catalog())
        raise UnknownModelError(f"no model {name!r} in the catalogue; it has: {known}") from None


def _entry(name: str, table: dict[str, Any]) -> Entry:
    networks = table["networks"]
    return Entry(
        name=name,
        title=table["title"],
        system=table["system"],
        skeleton=SKELETONS[table["skeleton"]],
        input=InputSize(**table["input"]),
        networks={role: _network(name, role, networks[role]) for role in networks},
        checkpoint=_checkpoint(table["checkpoint"]) if "checkpoint" in table else None,
        files=tuple(WeightFile(**file) for file in table.get("files", ())),
        precision=table.get("precision", "fp32"),
        licence=table["licence"],
        source=table["source"],
        accuracy=table["accuracy"],
        shipped=table.get("shipped", False),
    )


def _network(model: str, role: str, table: dict[str, Any]) -> Network:
    return Network(
        name=model if role == "network" else f"{model}/{role}",
        graph=table["graph"],
        outputs=table["outputs"],
        pixels=PIXELS[table["pixels"]],
        exact=table.get("exact"),
    )


def _checkpoint(table: dict[str, Any]) -> Checkpoint:
    variant = {name: value for name, value in table.items() if name not in {"file", "network"}}
    return Checkpoint(table["file"], table["network"], variant)
