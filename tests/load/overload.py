"""`python -m tests.load.overload`: a service under up to ten times the load that it can bear.

Measures the capacity, then loads from a quarter to ten times of it over HTTP and gRPC together,
judges what was promised of the largest, and exits with 1 where a promise is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.load.capacity import Offers
from tests.load.loads import HALF, MOST, Load, Overload
from tests.load.overload_report import plotted, table, written
from tests.load.reliability import write
from tests.load.running import settings_of, started
from tests.load.watch import Watch

SHARES = (0.25, HALF, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, MOST)
_SAMPLE_S = 0.5


async def measure(offers: Offers, seconds: float, shares: Sequence[float] = SHARES) -> Overload:
    """Loads of so many seconds each, the largest without a break.

    Every other load gets half of its time while they rise and half while they fall, so that a
    machine's drift touches all alike.
    """
    capacity = await offers.capacity(max(1.0, seconds / 6))
    *smaller, most = (Load(share, share * capacity) for share in sorted(shares))
    watch = Watch(offers.server.process.pid)
    for load in smaller:
        await offers.offer(load, seconds / 2)
    async with watch.every(min(_SAMPLE_S, seconds / 20)):
        await offers.offer(most, seconds)
    for load in reversed(smaller):
        await offers.offer(load, seconds / 2)
    return Overload(capacity, {load.share: load for load in (*smaller, most)}, watch)


def main() -> int:
    """Prints the table and what is broken; 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each load")
    parser.add_argument("--even", action="store_true", help="arrivals spaced evenly, not random")
    parser.add_argument("--report", type=Path, help="folder of reliability.md")
    parser.add_argument("settings", nargs="*", help="of the service, as in height=736")
    asked = parser.parse_args()
    with started(settings_of(asked.settings)) as server:
        offers = Offers(server, None if asked.even else 0)
        measured = asyncio.run(measure(offers, asked.seconds))
    broken = measured.broken()
    print(table(measured).markdown())
    print("\n".join(broken or ["every promise is kept"]))
    if asked.report:
        write(asked.report, "overload", written(measured, asked.seconds))
        (asked.report / "plots" / "reliability.svg").write_text(plotted(measured), "utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
