from __future__ import annotations

import os
from pathlib import Path

import pytest

from engines.runtime.processor import container_cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)


def test_without_a_container_nothing_bounds_the_cores(tmp_path: Path) -> None:
    assert container_cores(tmp_path) is None


@pytest.mark.parametrize(
    ("bound", "cores"),
    [("max 100000", None), ("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)],
)
def test_a_containers_share_bounds_the_cores(tmp_path: Path, bound: str, cores: int | None) -> None:
    (tmp_path / "cpu.max").write_text(f"{bound}\n")
    assert container_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "cores"), [(-1, None), (300_000, 3), (1_600_000, None)])
def test_so_does_that_of_the_first_version_of_cgroups(
    tmp_path: Path, quota: int, cores: int | None
) -> None:
    folder = tmp_path / "cpu"
    folder.mkdir()
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (folder / "cpu.cfs_period_us").write_text("100000\n")
    assert container_cores(tmp_path) == cores
