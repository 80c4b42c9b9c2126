"""One command makes a network of settings, and says what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

from typer.testing import CliRunner

from tests.shared import shared
from tests.training.drawn import SIDE, folder_of_four
from training.__main__ import app

RUN = f"""
[[data]]
images = "."
annotations = "people.json"
labels = 1.0
[kept]
pictures = 4
size = {SIDE}
held_out = 0.25
augment = false
[student]
width = 0.25
blocks = 1
[training]
steps = 3
batch = 2
crop = {SIDE}
log_every = 1
validate_every = 3
[evaluation]
images = "."
annotations = "people.json"
height = {SIDE}
"""


def invoke(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_it_keeps_pictures_learns_and_measures(tmp_path: Path) -> None:
    folder_of_four(tmp_path)
    config, out = tmp_path / "run.toml", tmp_path / "out"
    config.write_text(RUN, "utf-8")

    code, said = invoke(config, "--out", out)

    assert code == 0, said
    assert json.loads(said)["images"] == 4
    assert json.loads((out / "accuracy.json").read_text()) == json.loads(said)
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 3]
    assert "validation" in lines[-1]
    assert (out / "losses.svg").is_file()


def test_it_can_be_started_again_when_it_is_done(tmp_path: Path) -> None:
    folder_of_four(tmp_path)
    config, out = tmp_path / "run.toml", tmp_path / "out"
    config.write_text(RUN, "utf-8")

    first = invoke(config, "--out", out)
    assert invoke(config, "--out", out) == first


def test_features_that_are_a_detectors_are_fetched(tmp_path: Path) -> None:
    folder_of_four(tmp_path)
    config, cache = tmp_path / "run.toml", tmp_path / "cache"
    config.write_text(RUN.replace("[student]", '[student]\nbackbone = "yolox-nano"'), "utf-8")
    where = "--out", tmp_path / "out", "--cache", cache

    code, said = invoke(config, *where, "--mirror", tmp_path / "nowhere")
    assert code == 2
    assert "yolox-nano" in said
    assert not (tmp_path / "out").exists()

    code, said = invoke(config, *where, "--mirror", shared("weights"))
    assert code == 0, said
    assert (cache / "yolox-nano" / "yolox_nano.onnx").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "data: Field required"),
        (RUN.replace("people.json", "nobody.json"), "nobody.json"),
        (RUN.replace("[student]", '[teacher]\nmodel = "nobody"\n[student]'), "nobody"),
        (RUN.replace("[student]", "[teacher]\nscales = [2, 3]\n[student]"), "divide the largest"),
        (f'skeleton = "coco-17"\n{RUN}', "no part affinity fields"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    folder_of_four(tmp_path)
    (tmp_path / "run.toml").write_text(text, "utf-8")

    code, output = invoke(tmp_path / "run.toml", "--out", tmp_path / "out")

    assert code == 2
    assert said in output
    assert len(output.splitlines()) == 1
