"""What is measured, as it is asked for."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.catalog import find
from service.bench import cases as module
from service.bench.cases import Case, cases, inputs

LIGHTWEIGHT, HRNET, DEKR = "lightweight-openpose", "hrnet-w32-256x192", "dekr-w32-coco"


def _shapes(names: list[str], size: str | None, batch: str | None) -> list[tuple[int, ...]]:
    return [(case.batch, *case.size) for case in cases(names, size, batch)]


def test_a_model_is_measured_as_it_is_used_most() -> None:
    assert _shapes([LIGHTWEIGHT, HRNET], None, None) == [(1, 368, 656), (8, 256, 192)]


def test_each_model_may_have_a_size_and_a_batch_of_its_own() -> None:
    asked = _shapes([HRNET, DEKR], "256x192,512x512", "8, 1")
    assert asked == [(8, 256, 192), (1, 512, 512)]


def test_one_size_is_for_all() -> None:
    assert _shapes([LIGHTWEIGHT, DEKR], "512x512", "2") == [(2, 512, 512), (2, 512, 512)]


@pytest.mark.parametrize(
    ("size", "batch", "what"),
    [
        ("100x100", None, "multiples of 8"),
        ("1x2x3", None, "1x2x3"),
        ("64x64,64x64", None, "--size"),
        (None, "0", "--batch"),
        (None, "many", "--batch"),
    ],
)
def test_what_cannot_be_measured_is_refused(size: str | None, batch: str | None, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        list(cases([LIGHTWEIGHT], size, batch))


def test_batches_are_whole_and_hold_different_pictures() -> None:
    batch, *others = inputs(Case(find(LIGHTWEIGHT), (64, 96), 3), None)
    assert batch.shape == (3, 64, 96, 3)
    assert batch.dtype == np.uint8
    assert not others  # the package has two pictures
    assert (batch[0] != batch[1]).any()
    assert (batch[0] == batch[2]).all()


def test_pictures_are_cropped_and_not_distorted(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = np.zeros((100, 300, 3), np.uint8)
    cv2.circle(wide, (150, 50), 40, (255, 255, 255), -1)
    monkeypatch.setattr(module, "pictures", lambda _: [wide])
    (batch,) = inputs(Case(find(LIGHTWEIGHT), (64, 64), 1), None)
    light = batch[0, :, :, 0] > 127
    rows, columns = light.any(axis=1).sum(), light.any(axis=0).sum()
    assert abs(int(rows) - int(columns)) <= 1
    assert rows == pytest.approx(0.8 * 64, abs=2)
