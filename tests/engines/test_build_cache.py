"""The cache of engines, where processes were killed or nothing can be written."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.catalog import find
from engines.loading import build, load
from engines.options import Options
from engines.runtime.options import EngineOptions
from engines.weights import Store
from tests.engines.exported import exported

NAME = "lightweight-openpose"
SMALL = Options(height=64)
CPU = EngineOptions(backend="openvino")


@pytest.fixture(scope="module")
def built(exports: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A cache with the model, compared."""
    cache = tmp_path_factory.mktemp("built") / "cache"
    shutil.copytree(exported(find(NAME), exports(NAME)).cache, cache)
    build(NAME, Store(cache), SMALL, CPU)
    return Store(cache)


@pytest.fixture
def store(built: Store, tmp_path: Path) -> Store:
    """A copy of it."""
    shutil.copytree(built.cache, tmp_path / "cache")
    return Store(tmp_path / "cache")


@pytest.fixture(params=[errno.EACCES, errno.EROFS])
def _read_only(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lock and no folder can be made, as of another user or in a file system to be read."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(request.param, "not to be written", "engines")

    monkeypatch.setattr("engines.build.FileLock.acquire", refuse)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)


def test_what_a_killed_process_left_is_removed_by_the_next(store: Store) -> None:
    left = store.engines(find(NAME)) / ".abcdefgh"
    left.mkdir()
    (left / "engine.xml").write_text("<net")
    load(NAME, store, SMALL, CPU).close()
    assert not left.exists()


@pytest.mark.usefixtures("_read_only")
def test_engines_of_a_cache_that_is_read_only_are_used(store: Store) -> None:
    said: list[str] = []
    load(NAME, store, SMALL, CPU, say=said.append).close()
    assert said == []


@pytest.mark.usefixtures("_read_only")
def test_nothing_is_removed_where_another_process_may_build(store: Store) -> None:
    left = store.engines(find(NAME)) / ".abcdefgh"
    left.mkdir()
    load(NAME, store, SMALL, CPU).close()
    assert left.is_dir()


@pytest.mark.usefixtures("_read_only")
def test_what_is_missing_in_a_cache_that_is_read_only_is_an_error(store: Store) -> None:
    shutil.rmtree(store.engines(find(NAME)))
    with pytest.raises(OSError, match="not to be written"):
        load(NAME, store, SMALL, CPU)
