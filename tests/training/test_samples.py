"""What every kept picture is made of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

from engines.skeletons import OPENPOSE_18
from tests.training.drawn import SIDE, folder_of_four, run_of
from training.config import Config
from training.samples import Share, parts

_SHOULDERS = slice(5 * 3, 7 * 3)  # of the numbers that COCO has of a person


def seen_from_near(annotations: Path, portraits: float, held_out: float = 0.25) -> Config:
    data = {
        "images": annotations.parent,
        "annotations": annotations,
        "labels": 1.0,
        "portraits": portraits,
    }
    kept = {"pictures": 40, "size": SIDE, "held_out": held_out}
    return run_of(annotations, data=[data], kept=kept)


def without_shoulders(annotations: Path, of: set[int]) -> None:
    read = json.loads(annotations.read_text("utf-8"))
    for one in read["annotations"]:
        if one["image_id"] in of:
            one["keypoints"][_SHOULDERS] = [0] * 6
    annotations.write_text(json.dumps(read), "utf-8")


def names(share: Share) -> set[str]:
    return {sample.path.name for sample in share.samples}


def test_a_share_of_a_source_is_seen_from_near(tmp_path: Path) -> None:
    learned, held_out = parts(seen_from_near(folder_of_four(tmp_path), 0.3), OPENPOSE_18)
    assert [(share.near, len(share.samples)) for share in learned] == [(False, 21), (True, 9)]
    assert [(share.near, len(share.samples)) for share in held_out] == [(False, 7), (True, 3)]


def test_portraits_are_of_no_picture_that_is_held_out(tmp_path: Path) -> None:
    learned, held_out = parts(seen_from_near(folder_of_four(tmp_path), 0.5), OPENPOSE_18)
    assert names(learned[0]) == names(learned[1])
    assert names(held_out[0]) == names(held_out[1])
    assert not names(learned[1]) & names(held_out[0])


def test_portraits_are_of_pictures_with_shoulders(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    without_shoulders(annotations, {0, 1})
    (share,) = parts(seen_from_near(annotations, 1.0, held_out=0), OPENPOSE_18).learned
    assert share.near
    assert names(share) == {"2.png", "3.png"}


def test_a_held_out_part_without_shoulders_has_no_portraits(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    (held,) = names(parts(seen_from_near(annotations, 0), OPENPOSE_18).held_out[0])
    without_shoulders(annotations, {int(held[0])})
    learned, held_out = parts(seen_from_near(annotations, 0.5), OPENPOSE_18)
    assert [share.near for share in learned] == [False, True]
    assert [share.near for share in held_out] == [False]


def test_portraits_of_a_source_without_shoulders_are_refused(tmp_path: Path) -> None:
    annotations = folder_of_four(tmp_path)
    without_shoulders(annotations, {0, 1, 2, 3})
    with pytest.raises(ValueError, match=r"labelled in .*people\.json: remove its portraits"):
        parts(seen_from_near(annotations, 0.5), OPENPOSE_18)
