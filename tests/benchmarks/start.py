"""`python -m tests.benchmarks.start`: seconds from the command until the service is ready.

POSEWIRE_CACHE must have the weights.
"""

from __future__ import annotations

import time
from contextlib import closing

from service.bench.remote import Server
from service.settings import Settings

_TIMES = 5


def main() -> None:
    """Prints the seconds of each start, the fastest first."""
    taken = []
    for _ in range(_TIMES):
        began = time.monotonic()
        with closing(Server(Settings())) as server:
            server.wait()
            taken.append(time.monotonic() - began)
    print("ready after", ", ".join(f"{seconds:.1f} s" for seconds in sorted(taken)))


if __name__ == "__main__":
    main()
