from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from engines import sidecar
from engines.machine import Machine
from engines.profile import Profile
from engines.sidecar import Identity

GPU = Machine("NVIDIA L4", "8.9", "580.95")
IDENTITY = Identity(
    model="hrnet-w32-256x192",
    network="hrnet-w32-256x192",
    weights="a" * 64,
    graph="b" * 64,
    backend="tensorrt",
    version="11.4.0",
    precision="fp16",
    profile=Profile((1, 32, 32), ((256, 192),) * 3),
    calibration="",
    machine=GPU,
)
OTHERS = [
    replace(IDENTITY, weights="c" * 64),
    replace(IDENTITY, graph="c" * 64),
    replace(IDENTITY, version="10.13.0"),
    replace(IDENTITY, precision="int8", calibration="d" * 64),
    replace(IDENTITY, profile=Profile((1, 8, 8), ((256, 192),) * 3)),
    replace(IDENTITY, profile=None),
    replace(IDENTITY, machine=Machine("NVIDIA L4", "8.9", "581.0")),
    replace(IDENTITY, machine=Machine("NVIDIA L40", "8.9", "580.95")),
    replace(IDENTITY, machine=Machine("NVIDIA L4", "8.6", "580.95")),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An engine beside its sidecar."""
    made = tmp_path / "engine"
    made.mkdir()
    (made / "engine.plan").write_bytes(b"plan")
    sidecar.describe(IDENTITY, made).write(made)
    return made


def test_a_sidecar_says_what_an_engine_is(folder: Path) -> None:
    stored = json.loads((folder / "sidecar.json").read_text())
    assert stored["identity"]["model"] == "hrnet-w32-256x192"
    assert stored["identity"]["machine"] == {
        "name": "NVIDIA L4",
        "capability": "8.9",
        "driver": "580.95",
    }
    assert stored["identity"]["profile"]["sizes"][2] == [256, 192]
    assert list(stored["files"]) == ["engine.plan"]
    assert stored["comparison"] is None


def test_a_whole_engine_is_read_back(folder: Path) -> None:
    found = sidecar.read(folder, IDENTITY)
    assert found == sidecar.describe(IDENTITY, folder)
    assert found is not None
    assert not found.proven_on(GPU)


@pytest.mark.parametrize("other", OTHERS)
def test_an_engine_of_anything_else_does_not_fit_and_has_another_key(
    folder: Path, other: Identity
) -> None:
    assert sidecar.read(folder, other) is None
    assert other.key != IDENTITY.key


def test_the_key_is_the_same_in_every_process() -> None:
    assert IDENTITY.key == replace(IDENTITY).key
    assert len({one.key for one in (IDENTITY, *OTHERS)}) == len(OTHERS) + 1


@pytest.mark.parametrize("damage", [b"", b"plam", None])
def test_an_engine_whose_file_has_changed_does_not_fit(folder: Path, damage: bytes | None) -> None:
    plan = folder / "engine.plan"
    plan.unlink() if damage is None else plan.write_bytes(damage)
    assert sidecar.read(folder, IDENTITY) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"identity": {}, "files": {}}'])
def test_a_sidecar_that_cannot_be_read_does_not_fit(folder: Path, text: str) -> None:
    (folder / "sidecar.json").write_text(text)
    assert sidecar.read(folder, IDENTITY) is None
    assert sidecar.superseded(folder, IDENTITY), "it is of no use to anybody"


@pytest.mark.parametrize(
    ("newer", "superseded"),
    [
        (replace(IDENTITY, version="11.5.0"), True),
        (replace(IDENTITY, graph="c" * 64, weights="d" * 64), True),
        (replace(IDENTITY, machine=replace(GPU, driver="581.0")), True),
        (replace(IDENTITY, profile=None), False),
        (replace(IDENTITY, precision="bf16"), False),
        (replace(IDENTITY, machine=Machine("NVIDIA L40", "8.9", "580.95")), False),
        (replace(IDENTITY, backend="tensorrt_rtx"), False),
    ],
)
def test_an_engine_is_superseded_by_one_of_newer_parts_for_the_same_use(
    folder: Path, newer: Identity, superseded: bool
) -> None:
    assert sidecar.superseded(folder, newer) is superseded
