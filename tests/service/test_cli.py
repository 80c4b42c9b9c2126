"""The `posewire` command: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from engines.catalog import catalog
from engines.weights import Store
from service.settings import Settings
from tests.service.command import Posewire, assert_one_line

NAME = "lightweight-openpose-int8"
pytestmark = pytest.mark.usefixtures("bare")


def test_pull_fetches_a_model_into_the_cache(posewire: Posewire, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    result = posewire("pull", NAME, POSEWIRE_CACHE=str(cache))
    assert (result.exit_code, result.stderr) == (0, "")
    assert str(cache / NAME) in result.stdout
    assert {path.name for path in (cache / NAME).iterdir()} == {
        file.name for file in catalog()[NAME].files
    }


def test_pull_shows_its_progress_on_a_terminal(posewire: Posewire, tmp_path: Path) -> None:
    result = posewire("pull", NAME, POSEWIRE_CACHE=str(tmp_path), FORCE_COLOR="1", TERM="xterm")
    assert result.exit_code == 0
    for file in catalog()[NAME].files:
        assert file.name in result.stderr
    assert "MB" in result.stderr


@pytest.mark.parametrize(
    "command", [["pull"], ["predict", "x.jpg", "--model"], ["serve", "--models"]]
)
def test_an_unknown_model_is_wrong_use(command: list[str], posewire: Posewire) -> None:
    assert_one_line(posewire(*command, "openpose-9000"), 2, "openpose-9000", *catalog())


def test_a_model_that_must_be_built_says_how(posewire: Posewire) -> None:
    assert_one_line(posewire("pull", "lightweight-openpose"), 3, "posewire import")


def processes(count: int, *arguments: str, **environment: str) -> list[tuple[int, str, str]]:
    """Status, output and errors of so many processes of the installed command at once."""
    command = [str(Path(sysconfig.get_path("scripts")) / "posewire"), *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [
        subprocess.Popen(command, env={**os.environ, **environment}, **pipes)  # type: ignore[call-overload]
        for _ in range(count)
    ]
    ended = [(process, *process.communicate(timeout=60)) for process in started]
    return [(process.returncode, out, errors) for process, out, errors in ended]


@pytest.mark.parametrize("arguments", [["pull", NAME], ["predict", "x.jpg"], ["serve"]])
def test_missing_weights_without_a_network_are_one_line_and_status_3(
    arguments: list[str], tmp_path: Path
) -> None:
    settings = {"POSEWIRE_CACHE": str(tmp_path / "cache"), "POSEWIRE_MODELS": NAME}
    ((status, out, errors),) = processes(
        1, *arguments, **settings, https_proxy="http://127.0.0.1:9"
    )
    assert (status, out) == (3, "")
    (line,) = errors.splitlines()
    assert "posewire-small runs, which comes with Posewire" in line
    assert "human-pose-estimation-0001.xml" in line
    assert "POSEWIRE_MIRROR" in line
    assert "Traceback" not in line


def test_two_pulls_at_once_both_succeed(store: Store, tmp_path: Path) -> None:
    ended = processes(
        2, "pull", NAME, POSEWIRE_CACHE=str(tmp_path), POSEWIRE_MIRROR=str(store.mirror)
    )
    assert [(status, errors) for status, _, errors in ended] == [(0, "")] * 2
    assert Store(tmp_path).ready(catalog()[NAME])


def test_models_lists_every_model_with_its_licence(posewire: Posewire) -> None:
    result = posewire("models", COLUMNS="200")
    assert result.exit_code == 0
    for name, entry in catalog().items():
        assert name in result.stdout
        assert entry.licence in result.stdout


def test_models_as_json_says_whether_weights_are_here(posewire: Posewire, tmp_path: Path) -> None:
    posewire("pull", NAME)
    listed = {one["name"]: one for one in json.loads(posewire("models", "--json").stdout)}
    assert listed.keys() == catalog().keys()
    assert listed[NAME]["weights"] == "here"
    assert listed["lightweight-openpose"]["weights"] == "to bring"
    for one in listed.values():
        assert {"title", "skeleton", "accuracy", "licence", "source"} <= one.keys()
    empty = json.loads(posewire("models", "--json", POSEWIRE_CACHE=str(tmp_path)).stdout)
    for weights, names in {
        "here": {entry.name for entry in catalog().values() if entry.shipped},
        "to fetch": {one.name for one in catalog().values() if one.files and not one.shipped},
    }.items():
        assert {one["name"] for one in empty if one["weights"] == weights} == names
    for one in empty:
        assert one["weights"] in {"here", "to fetch", "to bring"}
        if one["weights"] == "to bring":
            assert f"posewire import {one['name']} FILE" in one["bring"]


def test_config_prints_every_setting_with_its_meaning(posewire: Posewire) -> None:
    lines = posewire("config", "--http-port", "0", POSEWIRE_THREADS="3").stdout.splitlines()
    meanings, values = lines[::2], dict(line.split("=", 1) for line in lines[1::2])
    assert list(values) == [f"POSEWIRE_{name.upper()}" for name in Settings.model_fields]
    assert all(meaning.startswith("# ") for meaning in meanings)
    assert (values["POSEWIRE_HTTP_PORT"], values["POSEWIRE_THREADS"]) == ("0", "3")


@pytest.mark.parametrize("command", ["config", "serve"])
def test_a_wrong_setting_is_named(command: str, posewire: Posewire) -> None:
    assert_one_line(posewire(command, "--http-port", "99999"), 2, "POSEWIRE_HTTP_PORT", "99999")
    assert_one_line(posewire(command, POSEWIRE_GRACE="soon"), 2, "POSEWIRE_GRACE", "soon")
    unknown = posewire(command, "--htpp-port", "80")
    assert unknown.exit_code == 2
    assert "--htpp-port" in unknown.stderr


@pytest.mark.parametrize(("pulled", "runs"), [(False, "posewire-small"), (True, NAME)])
def test_config_says_which_model_runs_where_none_is_named(
    pulled: bool, runs: str, posewire: Posewire, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cache = {"POSEWIRE_CACHE": str(tmp_path), "POSEWIRE_MODELS": None}
    if pulled:
        posewire("pull", NAME, **cache)
    said = posewire("config", **cache).stdout
    assert f"POSEWIRE_MODELS={runs}\n" in said
    assert f"# {runs} runs on " in said


def test_no_command_shows_the_commands(posewire: Posewire) -> None:
    shown = posewire().output
    for command in (
        *("serve", "predict", "models", "pull", "import", "build", "bench", "eval", "config"),
    ):
        assert command in shown
