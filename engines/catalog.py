"""The catalogue: every model, read once from `catalog.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from engines.geometry import Letterbox
from engines.skeletons import SKELETONS, Skeleton


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A published file: its name, address, checksum and size in bytes."""

    name: str
    address: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Network:
    """A graph an engine runs.

    Attributes:
        graph: file name of the OpenVINO IR or ONNX graph.
        outputs: our name of each output -> the graph's.
        checkpoint: file name of the authors' checkpoint that `posewire build` makes the
            graph of; None where the graph itself is published.
    """

    graph: str
    outputs: Mapping[str, str]
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of the catalogue."""

    name: str
    title: str
    system: str
    skeleton: Skeleton
    input: Letterbox
    network: Network
    files: tuple[WeightFile, ...]
    licence: str
    source: str
    accuracy: str


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
    return Entry(
        name=name,
        title=table["title"],
        system=table["system"],
        skeleton=SKELETONS[table["skeleton"]],
        input=Letterbox(**table["input"]),
        network=Network(**table["network"]),
        files=tuple(WeightFile(**file) for file in table.get("files", ())),
        licence=table["licence"],
        source=table["source"],
        accuracy=table["accuracy"],
    )
