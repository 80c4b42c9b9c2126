"""Where no model is named, the better one runs if it has been fetched, else the one that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.catalog import find
from engines.weights import Store, ensure
from service.default import FETCHED, SHIPPED, default_model
from service.settings import Settings


@pytest.fixture(autouse=True)
def _none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POSEWIRE_MODELS", raising=False)


def test_with_an_empty_cache_the_model_that_ships_runs(tmp_path: Path) -> None:
    assert default_model(tmp_path) == SHIPPED
    assert default_model(tmp_path / "absent") == SHIPPED
    assert find(SHIPPED).shipped


def test_a_mirror_alone_does_not_make_it_another(store: Store, tmp_path: Path) -> None:
    assert Settings(cache=tmp_path, mirror=store.mirror).models == (SHIPPED,)
    assert list(tmp_path.iterdir()) == []


def test_what_was_fetched_runs(store: Store, tmp_path: Path) -> None:
    folder = ensure(find(FETCHED), Store(tmp_path, store.mirror))
    assert Settings(cache=tmp_path).models == (FETCHED,)
    next(folder.glob("*.bin")).write_bytes(b"damaged")
    assert Settings(cache=tmp_path).models == (SHIPPED,)


def test_the_cache_may_be_said_in_the_environment_or_by_a_flag(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(find(FETCHED), Store(tmp_path, store.mirror))
    assert Settings.from_flags(["--cache", str(tmp_path)]).models == (FETCHED,)
    monkeypatch.setenv("POSEWIRE_CACHE", str(tmp_path))
    assert Settings().models == (FETCHED,)


def test_a_model_that_is_named_runs_whatever_the_cache_has(tmp_path: Path) -> None:
    assert Settings(cache=tmp_path, models=("one",)).models == ("one",)
