"""How many cores a container has: it may be fewer than the machine's."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")


def container_cores(cgroups: Path = _CGROUPS) -> int | None:
    """As many as the time that this process' container has, rounded up, or None where that is no
    bound. With more threads than that all of them would stand still for part of each period.

    Args:
        cgroups: where the kernel tells of the process' own group, as containers see it.
    """
    quota, period = _quota(cgroups)
    cores = -(-quota // period)
    return cores if 0 < cores < (os.cpu_count() or 1) else None


def _quota(cgroups: Path) -> tuple[int, int]:
    """Microseconds of all cores in each period of so many; 0 or less where there is no bound."""
    try:  # version 2, then 1
        quota, period = (cgroups / "cpu.max").read_text().split()
    except FileNotFoundError:
        try:
            quota = (cgroups / "cpu/cpu.cfs_quota_us").read_text()
            period = (cgroups / "cpu/cpu.cfs_period_us").read_text()
        except FileNotFoundError:
            return 0, 1
    return (0 if quota == "max" else int(quota)), int(period)
