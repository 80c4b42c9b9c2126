"""The commands that run a model: `predict`, `eval` and `bench`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tests.service.command import Posewire, assert_one_line
from tests.service.pictures import encode, picture

NAME = "lightweight-openpose-int8"
POSES = ("--model", "pp-tinypose-256x192")


@pytest.fixture
def photographs(tmp_path: Path, astronaut: bytes) -> Path:
    """A folder with a photograph of a person, a picture of nobody, and a broken file."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    (folder / "astronaut.jpg").write_bytes(astronaut)
    (folder / "broken.jpg").write_bytes(astronaut[:5000])
    (folder / "nobody.png").write_bytes(encode(picture(), "PNG"))
    return folder


def people(result: Result) -> list[dict[str, Any]]:
    """Those of the only picture."""
    assert (result.exit_code, result.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(result.stdout)["people"]
    return found


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


def test_predict_finds_people_with_the_detector_that_is_asked_for(
    posewire: Posewire, photographs: Path
) -> None:
    command = ("predict", photographs / "astronaut.jpg", *POSES, "--json")
    (yolox,) = people(posewire(*command))
    (bottom_up,) = people(posewire(*command, "--detector", NAME))
    (whole,) = people(posewire(*command, "--detector", "whole-image"))
    assert whole["box"] == [0, 0, 512, 512]
    assert yolox["box"] != bottom_up["box"] != whole["box"]
    for person in (yolox, bottom_up, whole):
        assert person["keypoints"][0][:2] == pytest.approx((223, 124), abs=10)


def test_predict_draws_the_boxes_of_a_detector(
    posewire: Posewire, photographs: Path, tmp_path: Path
) -> None:
    result = posewire("predict", photographs / "astronaut.jpg", "--model", "yolox-nano")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "1 person" in result.stdout
    assert (tmp_path / "poses" / "astronaut.jpg").is_file()


def test_options_change_what_a_top_down_model_sees(posewire: Posewire, photographs: Path) -> None:
    whole = ("--detector", "whole-image")
    command = ("predict", photographs / "astronaut.jpg", *POSES, *whole, "--json")
    (plain,) = people(posewire(*command))
    (changed,) = people(posewire(*command, "--flip", "--dark"))
    by_setting = people(posewire(*command, POSEWIRE_FLIP="true", POSEWIRE_DARK="true"))
    assert by_setting == [changed]
    assert changed["keypoints"] != plain["keypoints"]
    for one, other in zip(changed["keypoints"][:5], plain["keypoints"], strict=False):
        assert one[:2] == pytest.approx(other[:2], abs=14), "further than a heatmap's pixel"


@pytest.mark.parametrize("command", ["predict", "eval", "bench"])
def test_what_does_not_go_with_the_model_is_named(
    command: str, posewire: Posewire, photographs: Path
) -> None:
    given = {
        "predict": (photographs / "astronaut.jpg",),
        "eval": annotated(photographs, "astronaut.jpg"),
        "bench": ("--images", photographs),
    }[command]
    wrong: dict[tuple[str, ...], str] = {
        ("--flip",): "POSEWIRE_FLIP",
        ("--dark",): "POSEWIRE_DARK",
        ("--scales", "0.5,1"): "POSEWIRE_SCALES",
        ("--detector", "yolox-nano"): "leave out --detector",
        (*POSES, "--height", "128"): "POSEWIRE_HEIGHT",
        (*POSES, "--scales", "1,2"): "POSEWIRE_SCALES",
        (*POSES, "--scales", "2"): "POSEWIRE_SCALES",
        (*POSES, "--detector", POSES[1]): "POSEWIRE_DETECTOR",
        (*POSES, "--detector", "other"): "'other'",
    }
    for options, named in wrong.items():
        assert_one_line(posewire(command, *given, *options), 2, named)


def test_commands_take_the_first_model_of_the_settings_and_its_options_alone(
    posewire: Posewire, photographs: Path
) -> None:
    models = f"{POSES[1]},{NAME}"
    command = ("predict", photographs / "astronaut.jpg", "--json")
    chosen = {"POSEWIRE_MODELS": models, "POSEWIRE_DETECTOR": "whole-image"}
    assert len(people(posewire(*command, **chosen))[0]["keypoints"]) == 17
    assert_one_line(posewire(*command, "--height", "128", **chosen), 2, "POSEWIRE_HEIGHT")


def annotated(folder: Path, file_name: str, times: int = 1) -> tuple[str | Path, ...]:
    """Options of `eval` for one picture with a nose, annotated so many times."""
    person = dict.fromkeys(("image_id", "category_id", "num_keypoints"), 1)
    place = {"bbox": [0, 0, 300, 300], "keypoints": [223, 124, 2, *[0] * 48]}
    truth = {
        "images": [{"id": 1, "file_name": file_name}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {**person, **place, "id": index + 1, "iscrowd": 0, "area": 90_000}
            for index in range(times)
        ],
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


def test_eval_looks_into_the_boxes_that_are_asked_for(
    posewire: Posewire, photographs: Path
) -> None:
    command = ("eval", *annotated(photographs, "astronaut.jpg", 2), *POSES, "--json")
    wanted = {
        ("--boxes", "true"): ("true", 2),
        ("--boxes", "detected"): ("yolox-nano", 1),
        ("--detector", "whole-image", "--flip", "--dark"): ("whole-image", 1),
    }
    for options, found in wanted.items():
        result = posewire(*command, *options)
        assert (result.exit_code, result.stderr) == (0, "")
        figures = json.loads(result.stdout)
        assert (figures["model"], figures["height"]) == (POSES[1], 256)
        assert (figures["boxes"], figures["people"]) == found
        assert figures["AP50"] == pytest.approx(found[1] / 2, abs=0.01)


def test_eval_with_boxes_needs_a_model_that_takes_them(
    posewire: Posewire, photographs: Path
) -> None:
    given = annotated(photographs, "astronaut.jpg")
    for boxes in ("true", "detected"):
        refused = posewire("eval", *given, "--boxes", boxes)
        assert_one_line(refused, 2, "--boxes", NAME)
    unknown = posewire("eval", *given, *POSES, "--boxes", "maybe")
    assert unknown.exit_code == 2
    assert "detected" in unknown.stderr


def test_bench_measures_a_top_down_model_as_it_is_asked_to(
    posewire: Posewire, photographs: Path
) -> None:
    (photographs / "broken.jpg").unlink()
    options = (*POSES, "--detector", "whole-image", "--flip", "--dark", "--concurrency", "2")
    result = posewire("bench", "--images", photographs, *options, "--seconds", "1", "--json")
    assert result.exit_code == 0, result.output
    assert all(figure["ips"] > 0 for figure in json.loads(result.stdout).values())
