"""`python -m tests.load.sigterm`: SIGTERM under full load, again and again.

Callers over HTTP, on connections that are kept alive, and over gRPC send more than the service
admits, in closed loops and in an open one, until it has gone. Not one request that it accepted may
be lost: for each that it took in, by its own account, a caller has an answer. Others are refused,
or find no connection. Exits with 1 where one is lost, or where the service does not end with
status 0 in its grace time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.e2e.server import Server
from tests.load.counted import Account
from tests.load.grpc_caller import GrpcCaller
from tests.load.http_caller import HttpCaller
from tests.load.open_loop import Caller, constant, offer
from tests.load.pictures import people
from tests.load.reliability import write
from tests.load.replies import Reply
from tests.load.running import settings_of, started
from tests.load.stopped import Stopped

COUNTED = "tests.load.counted"
_CALLERS, _PAUSE_S = 8, 0.05  # of each protocol; after an answer that is not people
_RATE = 30.0  # of the open loop
_FULL_S, _RANDOM_S = 1.0, 0.5  # of load before the signal
_GRACE_S = 20.0  # the service's own


async def stop_under_load(server: Server, wait: float) -> Stopped:
    """Loads a server of `tests.load.counted`, and tells it to stop after so many seconds."""
    callers = (HttpCaller(server.http), GrpcCaller(server.grpc))
    images = [picture.data for picture in people(4)]
    gone, replies = asyncio.Event(), {caller.protocol: list[Reply]() for caller in callers}
    closed = [
        asyncio.create_task(_ask(caller, images, replies[caller.protocol], gone))
        for caller in callers
        for _ in range(_CALLERS)
    ]
    opened = asyncio.create_task(offer(callers, images, constant(_RATE), wait + 1.0))
    await asyncio.sleep(wait)
    began = time.monotonic()
    with contextlib.suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(server.stop, _GRACE_S)
    took = time.monotonic() - began
    gone.set()
    await asyncio.gather(*closed)
    for record in await opened:
        replies[record.protocol].append(record.reply)
    for caller in callers:
        await caller.close()
    log = server.log
    return Stopped(server.process.poll(), took, replies, Account.of(log), log)


async def _ask(
    caller: Caller, images: Sequence[bytes], replies: list[Reply], gone: asyncio.Event
) -> None:
    requests = [caller.prepare(image) for image in images]
    while not gone.is_set():
        reply = await caller.call(requests[len(replies) % len(requests)])
        replies.append(reply)
        if not reply.ok:
            await asyncio.sleep(_PAUSE_S)


def main() -> int:
    """Prints a line for each stop, and a summary; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--report", type=Path, help="folder of reliability.md")
    parser.add_argument("settings", nargs="*", help="of the service, as in height=736")
    asked = parser.parse_args()
    source, stops = np.random.default_rng(0), []
    for turn in range(asked.times):
        with started(settings_of(asked.settings), COUNTED) as server:
            wait = _FULL_S + source.uniform(0, _RANDOM_S)
            stops.append(asyncio.run(stop_under_load(server, wait)))
        print(f"{turn + 1}: {_line(stops[-1:])}", *stops[-1].broken(), sep="; ", flush=True)
    print(_line(stops))
    if asked.report:
        write(asked.report, "sigterm", f"{len(stops)} stops: {_line(stops)}.")
    return 1 if any(stop.broken() for stop in stops) else 0


def _line(stops: Sequence[Stopped]) -> str:
    def total(*kinds: str) -> int:
        return sum(stop.count(*kinds) for stop in stops)

    return (
        f"{sum(stop.draining for stop in stops)} images in the system at the signal; "
        f"{total('200', 'OK')} requests answered, {total('overloaded')} refused as too many, "
        f"{total('unavailable')} as unavailable, {total('no connection', 'UNAVAILABLE')} without "
        f"a connection, {total('closed', 'CANCELLED')} on one that ended before they were read; "
        f"{sum(stop.lost for stop in stops)} lost; gone within "
        f"{max(stop.seconds for stop in stops):.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
