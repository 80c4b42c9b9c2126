"""`python -m tests.benchmarks.soak DIR`: start-up time, and memory after 1,000 and 10,000 requests.

DIR is a folder of pictures. POSEWIRE_CACHE or POSEWIRE_MIRROR must have the weights.
"""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path

import psutil

from service.bench.remote import Server
from service.settings import Settings

_CONCURRENCY = 8
_SPELL_S = 10.0
_MARKS = (1_000, 10_000)


def main(folder: Path) -> None:
    """Prints seconds until ready, and resident megabytes at each mark."""
    began = time.monotonic()
    with closing(Server(Settings())) as server:
        server.wait()
        print(f"ready after {time.monotonic() - began:.1f} s")
        process, done, resident = psutil.Process(server.pid), 0, []
        for mark in _MARKS:
            while done < mark:
                latencies, _ = server.load("http", folder, _SPELL_S, _CONCURRENCY)
                done += len(latencies)
            resident.append(process.memory_info().rss / 2**20)
            print(f"{resident[-1]:.0f} MB after {done} requests", flush=True)
    print(f"grown by {resident[-1] - resident[0]:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
