from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.parity.__main__ import main
from tests.parity.report import Figure, Line, run, summary
from tests.shared import ROOT, shared

NETWORK = "lightweight-openpose-1stage"
NEEDS_TORCH = "networks are checked with torch, which is not installed"


@pytest.fixture
def fixtures(tmp_path: Path) -> Path:
    """A folder with the fixtures of one network."""
    networks = tmp_path / "networks"
    networks.mkdir()
    shutil.copy(shared("fixtures/fill.py"), tmp_path)
    for ending in ("npz", "keys.json"):
        shutil.copy(shared(f"fixtures/networks/{NETWORK}.{ending}"), networks)
    index = json.loads(shared("fixtures/networks/index.json").read_text(encoding="utf-8"))
    (networks / "index.json").write_text(json.dumps({NETWORK: index[NETWORK]}), encoding="utf-8")
    return tmp_path


def alter(fixtures: Path, **arrays: np.ndarray | None) -> None:
    path = fixtures / "networks" / f"{NETWORK}.npz"
    with np.load(path) as stored:
        changed = {**stored, **arrays}
    np.savez(path, **{name: array for name, array in changed.items() if array is not None})


def heatmaps(fixtures: Path) -> np.ndarray:
    with np.load(fixtures / "networks" / f"{NETWORK}.npz") as stored:
        array: np.ndarray = stored["heatmaps"]
    return array


def test_the_shared_fixtures_pass_and_none_is_skipped() -> None:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    folder = shared("fixtures")

    ended = subprocess.run(
        [sys.executable, "-m", "tests.parity", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    *lines, last = ended.stdout.splitlines()
    assert len(lines) >= 24
    assert all(line.startswith("ok ") for line in lines)
    assert last == f"{len(lines)} passed, 0 failed"


def test_an_unaltered_fixture_passes(fixtures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason=NEEDS_TORCH)

    assert main([str(fixtures)]) == 0

    line, last = capsys.readouterr().out.splitlines()
    assert line.startswith(f"ok networks/{NETWORK}: ")
    assert last == "1 passed, 0 failed"


@pytest.mark.parametrize("kind", ["value", "nan", "shape", "absent", "extra"])
def test_an_altered_output_fails(
    kind: str, fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    stored = heatmaps(fixtures)
    altered = stored.copy()
    altered[0, 3, 4, 5] += np.nan if kind == "nan" else 2e-4 * np.abs(stored).max()
    match kind:
        case "shape":
            alter(fixtures, heatmaps=stored[..., :-1])
        case "absent":
            alter(fixtures, heatmaps=None)
        case "extra":
            alter(fixtures, boxes=stored)
        case _:
            alter(fixtures, heatmaps=altered)

    assert main([str(fixtures)]) == 1

    line, last = capsys.readouterr().out.splitlines()
    assert line.startswith(f"FAIL networks/{NETWORK}: ")
    assert last == "0 passed, 1 failed"


def test_another_key_fails_and_is_named(fixtures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    path = fixtures / "networks" / f"{NETWORK}.keys.json"
    path.write_text(path.read_text(encoding="utf-8").replace("cpm.align.0.bias", "cpm.align.bias"))

    assert main([str(fixtures)]) == 1

    assert "cpm.align.bias" in capsys.readouterr().out


def test_a_damaged_file_fails_on_one_line(
    fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    (fixtures / "networks" / f"{NETWORK}.npz").write_bytes(b"PK not an archive")

    assert main([str(fixtures)]) == 1

    assert len(capsys.readouterr().out.splitlines()) == 2


def test_networks_are_skipped_by_name_without_torch(
    fixtures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)

    assert main([str(fixtures)]) == 0

    line, last = capsys.readouterr().out.splitlines()
    assert line == f"skip networks/{NETWORK}: torch is not installed"
    assert last == "0 passed, 0 failed, 1 skipped"


def test_what_nobody_checks_is_skipped_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    indexes = {
        "networks/index.json": {"vision": {}},
        "decoding/scenes.json": {"guessing": []},
        "preprocessing/inputs.json": {"images": [{"image": "a.jpg", "size": [1, 1], "shrink": {}}]},
    }
    for name, index in indexes.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(json.dumps(index), encoding="utf-8")

    assert main([str(tmp_path)]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "skip networks/vision: not implemented",
        "skip decoding/guessing: not implemented",
        "skip preprocessing/shrink: not implemented",
        "0 passed, 0 failed, 3 skipped",
    ]


def test_a_check_that_breaks_fails_and_the_others_go_on(tmp_path: Path) -> None:
    def breaks(_: Path) -> Figure:
        raise KeyError("s101")

    checks = {"a": breaks, "b": lambda _: Figure(True, "0.1 px")}

    lines = list(run(tmp_path, ["a", "b"], checks))

    assert lines == [Line("FAIL", "a", "KeyError: 's101'"), Line("ok", "b", "0.1 px")]
    assert summary(lines) == "1 passed, 1 failed"


@pytest.mark.parametrize("index", [None, "{}", "not json", "[]"])
def test_a_folder_without_fixtures_is_one_line_of_error(
    index: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if index is not None:
        (tmp_path / "networks").mkdir()
        (tmp_path / "networks" / "index.json").write_text(index)

    assert main([str(tmp_path)]) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(tmp_path) in printed.err
    assert printed.err.count("\n") == 1


def test_an_absent_folder_is_one_line_of_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "absent")]) == 2

    assert capsys.readouterr().err == f"{tmp_path / 'absent'} is not a folder\n"
