"""The `posewire` command: what it prints, where, and how it exits."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engines.catalog import catalog
from engines.weights import Store
from service.cli import app
from service.settings import Settings
from tests.service.pictures import encode, picture

NAME = "lightweight-openpose-int8"
Posewire = Callable[..., Result]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings, in an empty folder."""
    for name in [name for name in os.environ if name.upper().startswith("POSEWIRE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def posewire(store: Store) -> Posewire:
    """The command in this process, with the tests' own weights and the given settings."""
    place = {"POSEWIRE_CACHE": str(store.cache), "POSEWIRE_MIRROR": str(store.mirror)}

    def run(*arguments: str | Path, **settings: str) -> Result:
        return CliRunner().invoke(app, list(map(str, arguments)), env=place | settings)

    return run


@pytest.fixture
def photographs(tmp_path: Path, astronaut: bytes) -> Path:
    """A folder with a photograph of a person, a picture of nobody, and a broken file."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "astronaut.jpg").write_bytes(astronaut)
    (folder / "broken.jpg").write_bytes(astronaut[:5000])
    (folder / "nobody.png").write_bytes(encode(picture(), "PNG"))
    return folder


def assert_one_line(result: Result, status: int, *parts: str | Path) -> None:
    """What a user can mend is one line on standard error, and nothing on standard output."""
    assert (result.exit_code, result.stdout) == (status, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("posewire: ")
    for part in parts:
        assert str(part) in line


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
    ((status, out, errors),) = processes(
        1, *arguments, POSEWIRE_CACHE=str(tmp_path / "cache"), https_proxy="http://127.0.0.1:9"
    )
    assert (status, out) == (3, "")
    (line,) = errors.splitlines()
    assert "human-pose-estimation-0001.xml" in line
    assert "POSEWIRE_MIRROR" in line
    assert "Traceback" not in line


def test_two_pulls_at_once_both_succeed(store: Store, tmp_path: Path) -> None:
    ended = processes(
        2, "pull", NAME, POSEWIRE_CACHE=str(tmp_path), POSEWIRE_MIRROR=str(store.mirror)
    )
    assert [(status, errors) for status, _, errors in ended] == [(0, "")] * 2
    assert Store(tmp_path).ready(catalog()[NAME])


def test_predict_draws_every_picture_of_a_folder_and_reports_the_broken_one(
    posewire: Posewire, photographs: Path, tmp_path: Path
) -> None:
    result = posewire("predict", photographs, "--out", tmp_path / "drawn", "--height", "256")
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{photographs / 'astronaut.jpg'}: 1 person, drawn in ")
    assert second.startswith(f"{photographs / 'nobody.png'}: 0 people, drawn in ")
    (error,) = result.stderr.splitlines()
    assert error.startswith(f"posewire: {photographs / 'broken.jpg'}: ")
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == {"astronaut.jpg", "nobody.jpg"}


def test_predict_prints_a_line_of_json_for_each_picture(
    posewire: Posewire, photographs: Path, tmp_path: Path
) -> None:
    files = [photographs / name for name in ("nobody.png", "absent.jpg", "astronaut.jpg")]
    result = posewire("predict", *files, "--json", "--height", "256")
    assert result.exit_code == 1
    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["path"] for one in told] == [str(files[0]), str(files[2])]
    assert [len(one["people"]) for one in told] == [0, 1]
    assert "absent.jpg" in result.stderr
    assert not (tmp_path / "poses").exists()


def test_predict_of_good_pictures_exits_well_and_draws_in_poses(
    posewire: Posewire, photographs: Path, tmp_path: Path
) -> None:
    result = posewire("predict", photographs / "nobody.png")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (tmp_path / "poses" / "nobody.jpg").is_file()


def test_predict_of_a_folder_without_pictures_says_so(posewire: Posewire, tmp_path: Path) -> None:
    result = posewire("predict", tmp_path)
    assert result.exit_code != 0
    assert str(tmp_path) in result.stderr


def test_predict_keeps_to_the_settings(posewire: Posewire, photographs: Path) -> None:
    file = photographs / "nobody.png"
    assert_one_line(posewire("predict", file, "--json", POSEWIRE_MAX_BYTES="99"), 1, file, "99")
    assert_one_line(posewire("predict", file, POSEWIRE_HEIGHT="3"), 2, "POSEWIRE_HEIGHT")


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
    assert {one["name"] for one in empty if one["weights"] == "to fetch"} == {
        entry.name for entry in catalog().values() if entry.files
    }
    for one in empty:
        assert one["weights"] in {"to fetch", "to bring"}
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


def annotated(folder: Path, file_name: str) -> tuple[str | Path, ...]:
    """Options of `eval` for one picture with a nose."""
    person = dict.fromkeys(("id", "image_id", "category_id", "num_keypoints"), 1)
    place = {"bbox": [0, 0, 300, 300], "keypoints": [223, 124, 2, *[0] * 48]}
    truth = {
        "images": [{"id": 1, "file_name": file_name}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [{**person, **place, "iscrowd": 0, "area": 90_000}],
    }
    (folder / "annotations.json").write_text(json.dumps(truth), "utf-8")
    return ("--annotations", folder / "annotations.json", "--images", folder)


def test_eval_prints_its_figures(posewire: Posewire, photographs: Path) -> None:
    command = ("eval", *annotated(photographs, "astronaut.jpg"), "--height", "256")
    result = posewire(*command, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert {"AP", "AP50", "AP75", "APM", "APL", "AR", "images"} <= figures.keys()
    assert (figures["model"], figures["height"], figures["images"]) == (NAME, 256, 1)
    assert figures["AP50"] == 1
    assert "AP50     1" in posewire(*command).stdout


def test_eval_names_what_is_wrong(posewire: Posewire, photographs: Path) -> None:
    given = annotated(photographs, "absent.jpg")
    assert_one_line(posewire("eval", *given), 2, "absent.jpg")
    assert_one_line(posewire("eval", *given, "--boxes", "true"), 2, "--boxes")
    nothing = ("--annotations", photographs / "broken.jpg", "--images", photographs)
    assert_one_line(posewire("eval", *nothing), 2, "broken.jpg", "COCO")


def test_eval_names_a_broken_picture(posewire: Posewire, photographs: Path) -> None:
    given = annotated(photographs, "broken.jpg")
    assert_one_line(posewire("eval", *given), 2, "broken.jpg")


def test_no_command_shows_the_commands(posewire: Posewire) -> None:
    shown = posewire().output
    for command in (
        *("serve", "predict", "models", "pull", "import", "build", "bench", "eval", "config"),
    ):
        assert command in shown
