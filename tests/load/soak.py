"""`python -m tests.load.soak`: a long time at 80 % of capacity, with all that goes wrong.

Callers who leave, pictures that are bad, streams, and an engine that is killed once a minute and
hung once: every request is answered exactly once, with the people of its own picture or with an
error that it deserves, and nothing leaks. Exits with 1 where that does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from pathlib import Path

from tests.load.capacity import Offers
from tests.load.harm import Harm
from tests.load.mixture import Mixture
from tests.load.open_loop import OpenLoop, poisson
from tests.load.reliability import write
from tests.load.replies import SILENT
from tests.load.running import settings_of, started
from tests.load.soaked import Soaked
from tests.load.watch import Watch

FAULTY = "tests.e2e.faulty"
_SHARE = 0.8  # of the capacity
_LOOK_S = 5.0
_IN_TIME = {"watchdog": "5"}  # so that what hangs is given up before its callers' time is


async def soak(mixture: Mixture, harm: Harm, rate: float, seconds: float) -> Soaked:
    """Loads a server, does it harm, and tells what became of it.

    Args:
        mixture: of requests.
        harm: that is done meanwhile.
        rate: of requests a second.
        seconds: of load.

    Raises:
        RuntimeError: the server has ended.
    """
    await mixture.learn()
    loop, watch = OpenLoop(), Watch(harm.server.process.pid)
    async with watch.every(max(0.1, min(5.0, seconds / 60))), harm.done():
        await loop.offer(poisson(rate, 0), seconds, mixture.send)
    if harm.server.process.poll() is not None:
        raise RuntimeError(f"the service has ended:\n{harm.server.log[-2000:]}")
    silent = sum(record.reply.status == SILENT for record in loop.records)
    unasked = await mixture.close()
    return Soaked(mixture.verdicts, watch, harm.kills, harm.restarts(), silent, unasked)


def main() -> int:
    """Prints what became of all requests and what is wrong; 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument(
        "--every", type=float, default=60, help="seconds from kill to kill, 15 at least"
    )
    parser.add_argument("--rate", type=float, help="requests/s; 80 %% of what is measured")
    parser.add_argument("--report", type=Path, help="folder of reliability.md")
    parser.add_argument("settings", nargs="*", help="of the service, as in height=736")
    asked = parser.parse_args()
    with started(_IN_TIME | settings_of(asked.settings), FAULTY) as server:
        rate = asked.rate or _SHARE * asyncio.run(Offers(server).capacity(_LOOK_S))

        async def run() -> Soaked:
            return await soak(Mixture(server), Harm(server, asked.every), rate, 60 * asked.minutes)

        soaked = asyncio.run(run())
    text = f"{asked.minutes:g} minutes at {rate:.1f} requests/s.\n{soaked.summary()}"
    print(text)
    if asked.report:
        write(asked.report, "soak", re.sub(r"^(?=.)", "- ", text, flags=re.MULTILINE))
    return 1 if soaked.broken() else 0


if __name__ == "__main__":
    sys.exit(main())
