"""What stands beside a built engine: what it is made of, for what machine, and how it compares."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from engines.comparison import Comparison
from engines.machine import Machine
from engines.precision import Precision
from engines.profile import Profile
from engines.weights import atomically

FILE = "sidecar.json"


@dataclass(frozen=True, slots=True)
class Identity:
    """All that an engine depends on: where one of these differs, it is another engine.

    Attributes:
        model, network: of the catalogue.
        weights: sha256 of the checkpoint or the published file.
        graph: sha256 of the float32 graph.
        backend, version: what built it, such as "tensorrt" and "11.4.0".
        precision: that it computes in.
        profile: the inputs it takes; None for any.
        calibration: sha256 of the inputs that int8 was calibrated with; else empty.
        machine: that it is built for.
        posewire: version of what wrote the graph's precision.
    """

    model: str
    network: str
    weights: str
    graph: str
    backend: str
    version: str
    precision: Precision
    profile: Profile | None
    calibration: str
    machine: Machine
    posewire: str = metadata.version("posewire")

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they are read back."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    @property
    def key(self) -> str:
        """The same for equal identities only."""
        canonical = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Of an engine in a folder of its own.

    Attributes:
        identity: what it is.
        files: of the folder: name -> sha256.
        comparison: with PyTorch; None for an engine that was built where it cannot run.
        compared_on: the machine of that comparison.
        refused: why the engine is not used, after that comparison; then it has no files.
        pictures: sha256 of those that it was refused on.
    """

    identity: Identity
    files: Mapping[str, str]
    comparison: Comparison | None = None
    compared_on: Machine | None = None
    refused: str = ""
    pictures: str = ""

    def proven_on(self, machine: Machine) -> bool:
        """Whether it was compared on such a machine."""
        return self.comparison is not None and self.compared_on == machine

    def compared(self, comparison: Comparison, machine: Machine) -> Sidecar:
        return replace(self, comparison=comparison, compared_on=machine)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as they are written."""
        stored = asdict(self)
        stored["comparison"] = self.comparison and self.comparison.to_json()
        plain: dict[str, Any] = json.loads(json.dumps(stored, allow_nan=False))
        return plain

    def told(self) -> str:
        """In words, for who built it."""
        made, machine = self.identity, self.identity.machine
        of = " ".join(filter(None, (machine.name, machine.capability, machine.driver)))
        lines = [f"{made.precision}, by {made.backend} {made.version}, for {of} machine"]
        if self.comparison is None:
            return "\n".join([*lines, "to be compared with PyTorch where it first runs"])
        return "\n".join([*lines, *self.comparison.told()])

    def write(self, folder: Path) -> None:
        """Puts it into the engine's folder, whole or not at all."""
        with atomically(folder / FILE) as out:
            out.write(json.dumps(self.to_json(), indent=1).encode() + b"\n")


def describe(identity: Identity, folder: Path) -> Sidecar:
    """The sidecar of what lies in a folder, not compared yet."""
    files = {path.name: sha256(path) for path in sorted(folder.iterdir()) if path.name != FILE}
    return Sidecar(identity, files)


def read(folder: Path, identity: Identity) -> Sidecar | None:
    """The sidecar in a folder if it is that engine's and the files are whole; else None."""
    try:
        stored = json.loads((folder / FILE).read_text("utf-8"))
        files = dict(describe(identity, folder).files)
        same = stored["identity"] == identity.to_json()
        if not same or files != stored["files"]:
            return None
        return Sidecar(identity, files, *_comparison(stored), stored["refused"], stored["pictures"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def superseded(folder: Path, identity: Identity) -> bool:
    """Whether an engine does what a newer one does, of older parts; or is broken."""
    try:
        other = json.loads((folder / FILE).read_text("utf-8"))["identity"]
        same = identity.to_json()
        return all(
            (other[name], other["machine"]["name"]) == (same[name], same["machine"]["name"])
            for name in ("model", "network", "backend", "precision", "profile")
        )
    except (OSError, ValueError, KeyError, TypeError):
        return True


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _comparison(stored: dict[str, Any]) -> tuple[Comparison | None, Machine | None]:
    if stored["comparison"] is None:
        return None, None
    return Comparison.from_json(stored["comparison"]), Machine(**stored["compared_on"])
