"""A run is read from TOML, and what is wrong with it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="networks are trained in torch, which is not installed")

from tests.shared import ROOT
from training.config import Training, read
from training.schedule import learning_rate

DATA = '[[data]]\nimages = "pictures"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_run_of_posewire_small_can_be_read() -> None:
    config = read(ROOT / "training" / "posewire-small.toml")

    assert config.teacher is not None
    assert "val2017" not in str([source.annotations for source in config.data])


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read(written(tmp_path, f"{DATA}[teacher]"))
    assert config.data[0].images == tmp_path / "pictures"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps = ", "is not TOML"),
        (f"{DATA}[training]\nstep = 3", "training.step: Extra inputs"),
        (f"{DATA}[training]\ncrop = 100", "training.crop: .*multiple of 8"),
        (f"{DATA}[teacher]\n[training]\ncrop = 512", "choose a smaller crop"),
        (f"{DATA}[teacher]\n[training]\ncrop = 200\nhalved = 0.5", "half of training.crop 200"),
        (f"{DATA}[teacher]\n[training]\ncrop = 200\nclose = 0.5", "half of training.crop 200"),
        (
            f"{DATA}[teacher]\n[training]\nhalved = 0.6\nclose = 0.5",
            "halved and training.close are more than all batches",
        ),
        (
            f"{DATA}[teacher]\n[kept]\nsize = 200\n[training]\ncrop = 192\nhalved = 0.5",
            "half of kept.size 200",
        ),
        (DATA, "without a teacher every source needs annotations"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(written(tmp_path, text))


def test_the_learning_rate_rises_and_falls_to_nothing() -> None:
    chosen = Training(steps=100, warm_up=10, learning_rate=1.0)
    rates = [learning_rate(step, chosen) for step in range(101)]

    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)
